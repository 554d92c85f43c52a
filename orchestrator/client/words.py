"""Words of a project's text that say little about what it is."""

_CONNECTING = (
    "a an and are by for from has have in into its must not of on should that the this to using which will with"
)
CONNECTING = frozenset(_CONNECTING.split())
"""Words that any sentence may have."""

ASKING = frozenset(("build", "create", "implement", "make", "use", "uses", "write"))
"""Words that any project may begin with."""
