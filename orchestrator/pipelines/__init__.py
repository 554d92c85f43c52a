"""Pipelines of model calls, declared in YAML or Python. Each name is loaded when it is first used."""
