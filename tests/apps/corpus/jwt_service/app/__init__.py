"""A service with accounts: sign up, log in, see who you are."""
