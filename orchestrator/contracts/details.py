"""What the Web UI says of a run from its start: what was asked for, and how to steer it from there."""

from orchestrator.contracts.project import ProjectSpec
from orchestrator.domain.markdown import quoted
from orchestrator.domain.money import usd

_TEXT_BYTES = 6_000  # the server takes 20,000 in all
STEERING = (
    "To pause it: More Actions, Send a Signal, `pause`; to go on: `resume`. Neither needs any input. "
    "Request Cancellation ends it, and what is done is kept; Terminate loses what is under way."
)


def project_details(spec: ProjectSpec) -> str:
    """Texts and limits of a project, as Markdown."""
    limits = f"Budget {usd(spec.max_micro):.2f} USD, time limit {spec.time_limit_s / 60:.0f} min, "
    return "\n\n".join(
        (
            "**Project**",
            quoted(spec.project, _TEXT_BYTES),
            "**It is done when**",
            quoted(spec.criteria, _TEXT_BYTES),
            f"{limits}{spec.concurrency} tasks at a time.",
            STEERING,
        )
    )
