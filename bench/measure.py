"""What is measured."""

from collections.abc import Callable, Iterator

from bench.figures import Figure
from bench.stage import Run, Stage
from orchestrator.testing.project_script import GRAPHS, ProjectScript

LATENCY_MS = 200.0
RATIO_AIM = 1.10
CALL_AIM_MS = 15.0
WARM_AIM_S = 2.0
COLD_AIM_S = 5.0
HELP_AIM_S = 0.3
STATUS_AIM_S = 1.0


def figures(stage: Stage, repeats: int) -> Iterator[Figure]:
    """All figures, one after the other: first those of a machine on which nothing runs yet."""
    help_s = [stage.seconds("--help") for _ in range(repeats)]
    yield Figure("--help", "s", tuple(help_s), HELP_AIM_S)
    yield from _starts(stage, repeats)
    for name, tasks in GRAPHS.items():
        script = ProjectScript(tasks=tasks, latency_ms=LATENCY_MS, revise=True)
        runs = _repeated(stage, script, repeats)
        aim = None if name == "wide12" else RATIO_AIM
        calls = _values(runs, lambda run: run.calls_s, per=script.ideal_s())
        whole = _values(runs, lambda run: run.command_s, per=script.ideal_s())
        yield Figure(f"{name}: calls over critical path", "ratio", calls, aim)
        yield Figure(f"{name}: command over critical path", "ratio", whole, None)
    chain = ProjectScript(tasks=GRAPHS["chain12"], revise=True)
    in_sequence = 2 + 4 * len(chain.tasks)  # advice and plan first
    runs = _repeated(stage, chain, repeats)
    per_call = _values(runs, lambda run: run.calls_s * 1000, per=in_sequence)
    yield Figure("sequential call at zero latency", "ms", per_call, CALL_AIM_MS)
    status_s = [stage.seconds("status", runs[0].project_id, "--json") for _ in range(repeats)]
    yield Figure("status", "s", tuple(status_s), STATUS_AIM_S)


def _starts(stage: Stage, repeats: int) -> Iterator[Figure]:
    """From the start of the command to the first request, with nothing running and with everything running."""
    script = ProjectScript(tasks=GRAPHS["wide12"][:1])
    stage.run(script)  # fetches the Temporal binary and builds the tools where they are not cached yet
    cold = []
    for _ in range(repeats):
        stage.command("server", "down")
        cold.append(stage.run(script).to_first_call_s)
    yield Figure("start to first call, cold", "s", tuple(cold), COLD_AIM_S)
    warm = [stage.run(script).to_first_call_s for _ in range(repeats)]
    yield Figure("start to first call, warm", "s", tuple(warm), WARM_AIM_S)


def _repeated(stage: Stage, script: ProjectScript, repeats: int) -> list[Run]:
    return [stage.run(script) for _ in range(repeats)]


def _values(runs: list[Run], value: Callable[[Run], float], per: float) -> tuple[float, ...]:
    return tuple(value(run) / per for run in runs)
