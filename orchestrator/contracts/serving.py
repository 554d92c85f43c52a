"""Which of the work a worker process takes."""

from orchestrator.domain.base import Frozen

WORKFLOWS, TOOLS, MODELS = "workflows", "tools", "models"


class Serving(Frozen):
    """The parts that a process serves. `vendors` are those whose calls it makes; None: all that it can speak to."""

    workflows: bool = True
    tools: bool = True
    models: bool = True
    vendors: tuple[str, ...] | None = None

    def takes(self, vendor: str) -> bool:
        """Whether calls of this vendor are made, if the process can speak to it."""
        return self.models and (self.vendors is None or vendor in self.vendors)


EVERYTHING = Serving()


def parse_serving(raw: str) -> Serving:
    """From a list such as `workflows,tools` or `models:openai,models:anthropic`. Raises ValueError."""
    parts = tuple(part.strip() for part in raw.split(","))
    vendors = tuple(part.removeprefix(f"{MODELS}:") for part in parts if part.startswith(f"{MODELS}:"))
    for part in parts:
        if part not in (WORKFLOWS, TOOLS, MODELS) and not (part.startswith(f"{MODELS}:") and part != f"{MODELS}:"):
            raise ValueError(f"must name {WORKFLOWS}, {TOOLS}, {MODELS} or {MODELS}:VENDOR; got {part[:60]!r}")
    return Serving(
        workflows=WORKFLOWS in parts,
        tools=TOOLS in parts,
        models=MODELS in parts or bool(vendors),
        vendors=None if MODELS in parts else vendors,
    )
