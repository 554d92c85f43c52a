"""`python -m orchestrator`: the documented flags, done by the command line."""

from cli.module_command import main

main()
