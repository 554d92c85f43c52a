"""What a project may ask for, at its start and later."""

MAX_CONCURRENCY = 64  # tasks at a time
MAX_TIME_LIMIT_S = 365 * 86_400
