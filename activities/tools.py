"""Activities that run checks or touch the artifact store."""

import asyncio
from collections.abc import Sequence

from pydantic import TypeAdapter
from temporalio import activity

from activities.interfaces import ToolInterface
from activities.layout import lay_out
from activities.polled import polled_vendors
from activities.run_telemetry import tell_project
from orchestrator.artifacts.journal import Journal
from orchestrator.artifacts.manifest import merge_drafts
from orchestrator.artifacts.publish import project_name, publish
from orchestrator.artifacts.store import ArtifactStore
from orchestrator.contracts import names
from orchestrator.contracts.tools import (
    ApplyInput,
    ApplyResult,
    CheckInput,
    CheckOutcome,
    InstallInput,
    InstallOutcome,
    PrepareInput,
    PrepareResult,
    PublishInput,
    PublishResult,
    ReconcileInput,
    ReconcileResult,
    ScaffoldInput,
    ScaffoldResult,
    StateInput,
    TextInput,
    ValidatorVerdict,
)
from orchestrator.domain.criteria import CriterionResult, by_tools, split_criteria
from orchestrator.domain.enhancing import SUGGESTIONS, enhanced
from orchestrator.domain.findings import CheckResult, CheckStatus, Finding
from orchestrator.domain.refs import BlobRef
from orchestrator.domain.text import one_line
from orchestrator.telemetry.instruments import CHECK_DURATION
from orchestrator.telemetry.telemetry import SILENT, Telemetry
from orchestrator.validators.environments.ensure import Environments
from orchestrator.validators.environments.environment import NOTHING
from orchestrator.validators.registry import check_files, needs_packages
from orchestrator.validators.results import unchecked
from orchestrator.validators.sandbox import Sandbox

# What a reviser can take in; the rest is only counted.
MAX_FINDINGS_BYTES = 24_000
_FINDINGS = TypeAdapter(list[Finding])
_SHARE_OF_TIME = 0.9
_TOO_LONG = "it took longer than checks may take"


class ToolActivities(ToolInterface):
    """Implementations over one store, one journal and one sandbox; `vendors` are those that this process asks."""

    def __init__(
        self,
        store: ArtifactStore,
        journal: Journal,
        sandbox: Sandbox,
        environments: Environments,
        vendors: Sequence[str],
        telemetry: Telemetry = SILENT,
    ) -> None:
        self._store = store
        self._journal = journal
        self._sandbox = sandbox
        self._environments = environments
        self._vendors = tuple(vendors)
        self._telemetry = telemetry

    @activity.defn(name=names.ACTIVITY_PREPARE)
    async def prepare(self, request: PrepareInput) -> PrepareResult:
        return PrepareResult(
            project=await self._store.put(request.project.encode()),
            criteria=await self._store.put(request.criteria.encode()),
            vendors=await polled_vendors(request.queues, self._vendors) if request.queues else self._vendors,
            sandbox=self._sandbox.kind,
        )

    @activity.defn(name=names.ACTIVITY_APPLY_SUGGESTIONS)
    async def apply_suggestions(self, request: ApplyInput) -> ApplyResult:
        found = SUGGESTIONS.validate_json(await self._store.get(request.suggestions))
        project, criteria = enhanced(
            (await self._store.get(request.project)).decode(),
            (await self._store.get(request.criteria)).decode(),
            found,
            request.chosen,
        )
        return ApplyResult(
            project=await self._store.put(project.encode()), criteria=await self._store.put(criteria.encode())
        )

    @activity.defn(name=names.ACTIVITY_SCAFFOLD)
    async def scaffold(self, request: ScaffoldInput) -> ScaffoldResult:
        return await lay_out(self._store, request)

    @activity.defn(name=names.ACTIVITY_VALIDATE)
    async def validate(self, request: CheckInput) -> CheckOutcome:
        return await self._check(request)

    @activity.defn(name=names.ACTIVITY_CHECK)
    async def check(self, request: CheckInput) -> CheckOutcome:
        return await self._check(request)

    @activity.defn(name=names.ACTIVITY_INSTALL)
    async def install(self, request: InstallInput) -> InstallOutcome:
        files = await merge_drafts(self._store, request.drafts)
        try:
            async with _in_time():
                environment = await self._environments.ensure(files, request.policy)
            result = environment.verdict()
        except TimeoutError:
            environment, result = NOTHING, unchecked("dependencies", _TOO_LONG)
        return InstallOutcome(
            verdict=_verdict(result),
            findings=await self._kept(result.findings),
            paths=_paths(result.findings),
            summary=_summary([result]),
            resolved=environment.resolved,
        )

    @activity.defn(name=names.ACTIVITY_STORE_TEXT)
    async def store_text(self, request: TextInput) -> BlobRef:
        return await self._store.put(request.text.encode())

    @activity.defn(name=names.ACTIVITY_SAVE_STATE)
    async def save_state(self, request: StateInput) -> None:
        for leaf, text in (
            ("spec.json", request.spec_json),
            ("state.json", request.state_json),
            ("view.json", request.view_json),
        ):
            name = project_name(request.namespace, request.project, leaf)
            await self._store.write_named(name, text.encode())

    @activity.defn(name=names.ACTIVITY_RECONCILE)
    async def reconcile(self, request: ReconcileInput) -> ReconcileResult:
        finished = {}
        for key in request.calls:
            usage = await self._journal.finished(key)
            if usage is not None:
                finished[key] = usage
        return ReconcileResult(finished=finished)

    @activity.defn(name=names.ACTIVITY_PUBLISH)
    async def publish(self, request: PublishInput) -> PublishResult:
        published = await publish(self._store, request)
        await tell_project(self._telemetry, self._store, request, published.events)
        return published

    async def _check(self, request: CheckInput) -> CheckOutcome:
        try:
            async with _in_time():
                results = await self._results(request)
        except TimeoutError:
            results = [unchecked("checks", _TOO_LONG)]
        for result in results:
            labels = {"validator": result.validator, "outcome": result.status.value}
            self._telemetry.add(CHECK_DURATION, result.duration_s, labels)
        findings = [finding for result in results for finding in result.findings]
        return CheckOutcome(
            verdicts=tuple(_verdict(result) for result in results),
            findings=await self._kept(findings),
            paths=_paths(findings),
            summary=_summary(results),
            unsafe=self._sandbox.kind == "unsafe",
            criteria=await self._criteria(request.criteria, results),
        )

    async def _results(self, request: CheckInput) -> list[CheckResult]:
        files = await merge_drafts(self._store, request.drafts)
        environment = NOTHING
        if needs_packages(request.validators):
            environment = await self._environments.ensure(files, request.policy)
        return await check_files(
            files,
            frozenset(request.own),
            request.validators,
            self._sandbox,
            environment=environment,
            architecture=request.architecture,
            commands=request.commands,
        )

    async def _criteria(self, ref: BlobRef | None, results: Sequence[CheckResult]) -> tuple[CriterionResult, ...]:
        if ref is None:
            return ()
        verdicts = {result.validator: (result.status, one_line(result.reason)) for result in results}
        return by_tools(split_criteria((await self._store.get(ref)).decode()), verdicts)

    async def _kept(self, findings: Sequence[Finding]) -> BlobRef | None:
        return await self._store.put(_FINDINGS.dump_json(_shown(findings))) if findings else None


def _in_time() -> asyncio.Timeout:
    """Ends before Temporal would give the attempt up and begin another one, which would take as long."""
    limit = activity.info().start_to_close_timeout
    return asyncio.timeout(limit.total_seconds() * _SHARE_OF_TIME if limit else None)


def _paths(findings: Sequence[Finding]) -> tuple[str, ...]:
    return tuple(sorted({finding.path for finding in findings if finding.path}))


def _shown(findings: Sequence[Finding]) -> list[Finding]:
    """The first findings, as many as fit, at least one."""
    shown, size = [findings[0]], len(findings[0].model_dump_json())
    for finding in findings[1:]:
        size += len(finding.model_dump_json())
        if size > MAX_FINDINGS_BYTES:
            break
        shown.append(finding)
    return shown


def _verdict(result: CheckResult) -> ValidatorVerdict:
    return ValidatorVerdict(
        validator=result.validator,
        status=result.status,
        findings=len(result.findings),
        reason=one_line(result.reason),
        limit=result.limit,
    )


def _summary(results: Sequence[CheckResult]) -> str:
    """The failures, or what passed."""
    failed = [result for result in results if result.status is CheckStatus.FAILED]
    if not failed:
        passed = [result.validator for result in results if result.status is CheckStatus.PASSED]
        return one_line(f"passed: {', '.join(passed)}" if passed else "nothing to check")
    return one_line("; ".join(_failure(result) for result in failed))


def _failure(result: CheckResult) -> str:
    first = result.findings[0]
    where = f"{first.path}:{first.line} " if first.path else ""
    limit = f" ({result.limit} limit)" if result.limit else ""
    return f"{result.validator}{limit}: {len(result.findings)} finding(s), first {where}{first.message}"
