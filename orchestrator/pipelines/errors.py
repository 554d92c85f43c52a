"""What goes wrong while a step works."""

from orchestrator.domain.errors import OrchError


class StepError(OrchError):
    """A step cannot be done: its prompt, its condition, its expression or its function fails. One line."""


class ExpressionError(ValueError):
    """An expression that cannot be read. `column` counts from 1."""

    def __init__(self, message: str, column: int) -> None:
        super().__init__(message)
        self.column = column
