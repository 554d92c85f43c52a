"""What can go wrong with the artifact store."""

from orchestrator.domain.errors import OrchError, PrerequisiteError


class ArtifactError(OrchError):
    """Content is missing or is not what its reference says. Trying again does not help."""


class ArtifactUnavailableError(PrerequisiteError):
    """The store cannot be used now: disk full, no permission, network. Trying again may help."""


class MissingKeyError(ArtifactUnavailableError):
    """Content is sealed with a key that this process does not have. Another process may have it."""
