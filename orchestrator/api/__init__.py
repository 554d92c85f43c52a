"""The Python API: projects from Python as from the command line. `from orchestrator import Orchestrator, Budget`."""
