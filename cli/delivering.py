"""Flags of what follows the end of a run."""

from cli.steering import parsed
from orchestrator.client.deliveries import parse_command, parse_output_pattern, parse_webhook
from orchestrator.contracts.delivery import Delivery


def wanted_delivery(
    from_file: Delivery, webhook: str | None, on_finish: str | None, output_dir: str | None = None
) -> Delivery:
    """Flags over file; an empty flag takes a delivery away. Raises UserInputError that names the flag."""
    wanted: dict[str, object] = {}
    if webhook is not None:
        wanted["webhook"] = parsed("--webhook", parse_webhook, webhook) if webhook else ""
    if on_finish is not None:
        wanted["command"] = parsed("--on-finish", parse_command, on_finish) if on_finish else ()
    if output_dir is not None:
        wanted["output_dir"] = parsed("--output-dir", parse_output_pattern, output_dir) if output_dir else ""
    return from_file.model_copy(update=wanted)


def overlaid(known: Delivery, later: Delivery | None) -> Delivery:
    """`known` with what a later reading of a file names."""
    return known.model_copy(update=later.model_dump(exclude_defaults=True) if later else {})
