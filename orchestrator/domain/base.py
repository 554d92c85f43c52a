"""The base of every value object: frozen, strict about unknown fields."""

from pydantic import BaseModel, ConfigDict


class Frozen(BaseModel):
    """An immutable value; a changed copy comes from `model_copy(update=...)`."""

    model_config = ConfigDict(frozen=True, extra="forbid")
