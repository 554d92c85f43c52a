"""What somebody wants delivered when a run has ended: read, and checked as far as this machine can tell."""

import shlex
from pathlib import Path

from orchestrator.contracts.delivery import Delivery
from orchestrator.domain.delivery import check_command, check_date_pattern, check_webhook
from orchestrator.domain.errors import UserInputError
from orchestrator.settings import Settings
from orchestrator.settings.delivery import HOOK_COMMANDS, WEBHOOK_SECRET, grant_output


def parse_webhook(raw: str) -> str:
    """An http or https address. Raises ValueError."""
    return check_webhook(raw.strip())


def parse_command(raw: str) -> tuple[str, ...]:
    """Program and arguments, quoted as in a shell that expands nothing. Raises ValueError."""
    try:
        words = tuple(shlex.split(raw))
    except ValueError:
        raise ValueError(f"has quotes that do not match: {raw[:60]!r}") from None
    return check_command(words)


def parse_output_pattern(raw: str) -> str:
    """A folder that may carry a date, such as results/%Y-%m-%d. Raises ValueError."""
    return check_date_pattern(raw.strip())


def local_delivery(delivery: Delivery | None, settings: Settings) -> Delivery | None:
    """`delivery` for the worker that will see to it; None where there is nothing to deliver.

    The embedded worker has our own settings and may write where its user says, so a relative folder is one below the
    present folder. Raises UserInputError for what that worker would refuse. A cluster's workers have settings of their
    own: what they refuse is a note of the run.
    """
    if delivery is None or not (delivery.webhook or delivery.command or delivery.output_dir):
        return None
    if not settings.embedded:
        return delivery
    if delivery.webhook and not settings.delivery.webhook_secret.get_secret_value():
        raise UserInputError(f"webhook: set {WEBHOOK_SECRET}, which signs what the webhook receives")
    if delivery.command and delivery.command[0] not in settings.delivery.commands:
        raise UserInputError(f"command: {delivery.command[0]} may not run here; name it in {HOOK_COMMANDS}")
    if not delivery.output_dir:
        return delivery
    pattern = str(Path(delivery.output_dir).expanduser().absolute())
    grant_output(settings.home, pattern)
    return delivery.model_copy(update={"output_dir": pattern})
