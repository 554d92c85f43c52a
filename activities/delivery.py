"""Activities that hand on what a run has made: files to a folder, word of its end to a webhook or a command."""

import asyncio
import contextlib
import json
import os
import signal
import tempfile
from datetime import UTC, datetime
from typing import Any

import httpx2
from temporalio import activity
from temporalio.exceptions import ApplicationError

from orchestrator.artifacts.dated_export import export_dated
from orchestrator.artifacts.month_ledger import MonthLedger
from orchestrator.artifacts.store import ArtifactStore
from orchestrator.contracts import names
from orchestrator.contracts.delivery import ExportInput, ExportOutcome, FinishedRun, HookInput, MonthGrant, MonthInput
from orchestrator.domain.delivery import check_command, check_webhook, host_allowed, shown_host, sign, webhook_host
from orchestrator.domain.errors import PrerequisiteError, UserInputError
from orchestrator.domain.money import usd
from orchestrator.domain.text import one_line
from orchestrator.settings import Settings
from orchestrator.settings.delivery import HOOK_COMMANDS, WEBHOOK_HOSTS, WEBHOOK_SECRET, granted_outputs

_ANSWER_S = 10.0
_COMMAND_S = 300.0
_SOON = (408, 425, 429)  # 4xx that may be another answer next time
_MAX_OUTPUT = 16 * 1024
_KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR")  # no key of ours reaches a command


class DeliveryActivities:
    """Over one store. What is allowed comes from this worker's settings and from nothing that a run says."""

    def __init__(self, store: ArtifactStore, settings: Settings) -> None:
        self._store = store
        self._home = settings.home
        self._allowed = settings.delivery
        self._environment = {name: value for name, value in settings.environment.items() if name in _KEPT}

    @activity.defn(name=names.ACTIVITY_DELIVER_FILES)
    async def files(self, request: ExportInput) -> ExportOutcome:
        """Write the published files to the run's output folder, whole or not at all."""
        granted = await asyncio.to_thread(granted_outputs, self._home)
        try:
            folder = await export_dated(self._store, request, self._allowed.output_root, granted)
        except (UserInputError, PrerequisiteError) as error:
            raise _final(str(error)) from None
        return ExportOutcome(folder=str(folder))

    @activity.defn(name=names.ACTIVITY_DELIVER_WEBHOOK)
    async def webhook(self, request: HookInput) -> None:
        """One attempt to tell the webhook; Temporal makes the others."""
        url = _checked(check_webhook, request.delivery.webhook)
        secret = self._allowed.webhook_secret.get_secret_value()
        if not secret:
            raise _final(f"this worker calls no webhook: set {WEBHOOK_SECRET} in its environment")
        if not host_allowed(webhook_host(url), self._allowed.webhook_hosts):
            raise _final(f"{shown_host(url)} is not among {WEBHOOK_HOSTS} of this worker")
        body, sent_s = _body(request), int(datetime.now(UTC).timestamp())
        message_id = f"{request.run.workflow_id}-{activity.info().workflow_run_id}"
        headers = {
            "content-type": "application/json",
            "user-agent": "orch",
            "webhook-id": message_id,
            "webhook-timestamp": str(sent_s),
            "webhook-signature": sign(secret, message_id, sent_s, body),
        }
        await _post(url, headers, body)

    @activity.defn(name=names.ACTIVITY_DELIVER_COMMAND)
    async def command(self, request: HookInput) -> None:
        """Run the command with the message on its standard input; it must exit with 0 within five minutes."""
        command = _checked(check_command, request.delivery.command)
        if command[0] not in self._allowed.commands:
            raise _final(f"{command[0]} is not among {HOOK_COMMANDS} of this worker")
        with tempfile.TemporaryDirectory(prefix="orch-hook-") as folder:
            code, output = await _run(command, folder, self._variables(request.run), _body(request))
        if code:
            last = one_line((output.decode(errors="replace").strip().splitlines() or [""])[-1], 120)
            raise _final(f"{command[0]} exited with {code}{': ' + last if last else ''}")

    @activity.defn(name=names.ACTIVITY_MONTH_RESERVE)
    async def reserve(self, request: MonthInput) -> MonthGrant:
        """Take a batch's money out of its schedule's month."""
        return await MonthLedger(self._store, activity.info().namespace).reserve(request)

    @activity.defn(name=names.ACTIVITY_MONTH_SETTLE)
    async def settle(self, request: MonthInput) -> None:
        """Give back what the batch did not spend."""
        await MonthLedger(self._store, activity.info().namespace).settle(request)

    def _variables(self, run: FinishedRun) -> dict[str, str]:
        told = {"ORCH_RUN_ID": run.id, "ORCH_RUN_STATUS": run.status.value, "ORCH_OUTPUT_DIR": run.output_dir}
        return {**self._environment, **told}


def _body(request: HookInput) -> bytes:
    """The message: type, time and data, as Standard Webhooks lays it out."""
    run = request.run
    data = run.model_dump(mode="json", exclude={"kind", "spent_micro", "uncertain_micro", "max_micro", "projects"})
    data |= {"spent_usd": usd(run.spent_micro), "uncertain_usd": usd(run.uncertain_micro)}
    data["max_usd"] = usd(run.max_micro)
    if run.kind == "batch":
        data["projects"] = [_project(one.model_dump()) for one in run.projects]
    ended = datetime.fromtimestamp(request.ended_s, UTC).isoformat(timespec="seconds")
    return json.dumps({"type": f"{run.kind}.finished", "timestamp": ended, "data": data}, ensure_ascii=False).encode()


def _project(values: dict[str, Any]) -> dict[str, Any]:
    return {**values, "spent_usd": usd(values.pop("spent_micro"))}


async def _post(url: str, headers: dict[str, str], body: bytes) -> None:
    """Raises ApplicationError unless the answer is a 2xx; its own text is read by nobody."""
    try:
        async with (
            asyncio.timeout(_ANSWER_S),
            httpx2.AsyncClient(follow_redirects=False, timeout=_ANSWER_S) as client,
            client.stream("POST", url, headers=headers, content=body) as response,
        ):
            status = response.status_code
    except (httpx2.HTTPError, TimeoutError, OSError) as error:
        # Not the error's own text: it may hold the address.
        raise ApplicationError(f"{shown_host(url)} gave no answer ({type(error).__name__})", type="NoAnswer") from None
    if not 200 <= status < 300:
        final = 300 <= status < 500 and status not in _SOON
        raise ApplicationError(f"{shown_host(url)} answered {status}", type="Refused", non_retryable=final)


async def _run(command: tuple[str, ...], folder: str, variables: dict[str, str], given: bytes) -> tuple[int, bytes]:
    """Exit code and first output of a process that is gone, with all its children, when this returns."""
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            cwd=folder,
            env=variables,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
    except OSError as error:
        raise _final(f"{command[0]} cannot be run: {error.strerror}") from None
    try:
        async with asyncio.timeout(_COMMAND_S):
            fed = asyncio.create_task(_feed(process, given))
            output = await _first(process)
            await fed
            return await process.wait(), output
    except TimeoutError:
        raise _final(f"{command[0]} took longer than {_COMMAND_S:.0f} s") from None
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


async def _feed(process: asyncio.subprocess.Process, given: bytes) -> None:
    assert process.stdin is not None
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it need not read what it is told
        process.stdin.write(given)
        await process.stdin.drain()
        process.stdin.close()


async def _first(process: asyncio.subprocess.Process) -> bytes:
    """What the process writes, as far as it is kept; all of it is read."""
    assert process.stdout is not None
    kept = b""
    while chunk := await process.stdout.read(_MAX_OUTPUT):
        kept += chunk[: _MAX_OUTPUT - len(kept)]
    return kept


def _checked(check: Any, value: Any) -> Any:
    try:
        return check(value)
    except ValueError as error:
        raise _final(f"the address or command {error}") from None


def _final(message: str) -> ApplicationError:
    return ApplicationError(one_line(message), type="NotDelivered", non_retryable=True)
