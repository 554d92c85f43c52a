"""The work of `models check`: one minimal call of each usable model.

Keys live in the worker's environment. For the embedded default that is this command's own, so the calls are made by
the worker's vendor code in a process with exactly this environment (`workers.probe`); no server is needed for it.
A worker on another machine has keys of its own: there the command is run beside it.
"""

import subprocess
import sys
from collections.abc import Iterator

import typer

from cli.console import columns, say, show, show_json
from cli.pricelist import why_not
from orchestrator.catalog import Catalog, catalog_here
from orchestrator.catalog.probing import ProbeRequest, ProbeResult, bound_micro
from orchestrator.domain.errors import PrerequisiteError, UserInputError
from orchestrator.domain.model import ModelSpec
from orchestrator.domain.money import usd
from orchestrator.settings import Settings, load_settings
from orchestrator.settings.keys import KEY_COMMAND

# -P: a folder named `workers` where the user stands must not be taken for ours.
_PROBE = (sys.executable, "-P", "-m", "workers.probe")
_STOP_S = 5.0


def check_models(names: list[str], *, yes: bool, json_output: bool) -> int:
    """Check the models that `names` mean, or all usable ones; 0 where all answered, 1 where one did not."""
    settings = load_settings()
    models = _chosen(names, catalog_here(settings), settings)
    if not settings.embedded:
        say("The keys of this machine are checked. Workers elsewhere have their own: run this command there.")
    if not models:
        say("No vendor has a key here, so there is nothing to check.")
    elif not _agreed(models, yes=yes):
        say("Nothing was asked.")
        return 1
    results = _asked(models, settings, json_output=json_output) if models else []
    failed = sum(not result.ok for result in results)
    known = sum(result.cost_micro or 0 for result in results)
    if json_output:
        rows = [_object(result) for result in results]
        show_json({"checked": len(results), "failed": failed, "cost_usd": usd(known), "models": rows})
    elif results:
        for line in columns([_row(result) for result in results], indent=""):
            show(line)
        show(f"\n{len(results) - failed} of {len(results)} answered, for ${usd(known):.6f}.")
    return 1 if failed else 0


def _chosen(names: list[str], catalog: Catalog, settings: Settings) -> list[ModelSpec]:
    usable = {
        entry.spec.id for entry in catalog.entries if not entry.spec.simulated and entry.spec.vendor in settings.vendors
    }
    models = [model for model in catalog.models if model.id in usable]
    if not names:
        return models
    chosen = {model.id: model for model in (catalog.resolve(name) for name in names)}
    for model_id in chosen:
        if model_id not in usable:
            entry = next(entry for entry in catalog.entries if entry.spec.id == model_id)
            raise UserInputError(f"{model_id} cannot be asked: {why_not(entry, catalog, settings)}")
    return list(chosen.values())


def _agreed(models: list[ModelSpec], *, yes: bool) -> bool:
    """Say what it may cost; on a terminal, ask."""
    bounds = [bound_micro(model) for model in models]
    unknown = bounds.count(None)
    more = f", and {unknown} whose price is not known" if unknown else ""
    calls = "1 call" if len(models) == 1 else f"{len(models)} calls"
    say(f"{calls}, at most ${usd(sum(bound or 0 for bound in bounds)):.6f} together{more}.")
    return yes or not sys.stdin.isatty() or typer.confirm("Go on?", err=True)


def _asked(models: list[ModelSpec], settings: Settings, *, json_output: bool) -> list[ProbeResult]:
    """The results in the order of `models`; each is reported on stderr as it comes."""
    results: dict[str, ProbeResult] = {}
    for result in _run_probe(ProbeRequest(models=tuple(models)), settings):
        results[result.id] = result
        if json_output:
            say(" ".join(_row(result)))
    if len(results) < len(models):
        raise PrerequisiteError("the check ended early; see the message above")
    return [results[model.id] for model in models]


def _run_probe(request: ProbeRequest, settings: Settings) -> Iterator[ProbeResult]:
    process = subprocess.Popen(
        _PROBE, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8", env=_environment(settings)
    )
    try:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(request.model_dump_json())
        process.stdin.close()
        for line in process.stdout:
            yield ProbeResult.model_validate_json(line)
        process.wait()
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(_STOP_S)
        if process.stdout is not None:
            process.stdout.close()


def _environment(settings: Settings) -> dict[str, str]:
    """Our environment; keys that a command gave are in it, so that a password manager asks its user once."""
    given = {vendor.key_name: vendor.api_key.get_secret_value() for vendor in settings.vendors.values()}
    ours = {name: value for name, value in settings.environment.items() if name != KEY_COMMAND}
    return {**ours, **{name: key for name, key in given.items() if name and key}}


def _object(result: ProbeResult) -> dict[str, object]:
    cost = result.cost_micro
    return {
        "id": result.id,
        "ok": result.ok,
        "detail": result.detail,
        "elapsed_s": result.elapsed_ms / 1000,
        "input_tokens": result.input_tokens,
        "output_tokens": result.output_tokens,
        "cost_usd": None if cost is None else usd(cost),
    }


def _row(result: ProbeResult) -> tuple[str, ...]:
    cost = "price unknown" if result.cost_micro is None else f"${usd(result.cost_micro):.6f}"
    verdict = "ok" if result.ok else "failed"
    return (verdict, result.id, f"{result.elapsed_ms / 1000:.1f} s", cost, result.detail)
