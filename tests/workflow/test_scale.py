"""A large plan goes through several executions, and no event of theirs holds a large payload."""

from orchestrator.client.plugin import STORE_FROM_BYTES
from orchestrator.contracts.project import ProjectStatus
from orchestrator.testing.histories import history_bytes, largest_payload_bytes
from tests.workflow.conftest import Opened
from tests.workflow.harness import spec
from tests.workflow.play import Play, text_task

TASKS = 200
EVENTS = 700
BYTES_PER_CALL = 4_000
STATE_BYTES_PER_TASK = 1_024
LONG_S = 55.0  # a server with a database of its own has 800 calls to write down


async def test_histories_of_a_large_plan_stay_small(opened: Opened) -> None:
    play = Play(*(text_task(f"t{n}", *((f"t{n // 2}",) if n > 1 else ())) for n in range(1, TASKS + 1)))
    async with opened(play) as house:
        run = await house.start(spec(continue_after_events=EVENTS, concurrency=32, max_micro=10**12))
        view = await run.result(LONG_S)
        histories = await run.histories()
        state = await run.state()
    assert (view.status, view.tasks_done) == (ProjectStatus.SUCCESS, TASKS)
    assert view.calls == play.count() == 1 + 4 * TASKS
    assert len(histories) >= 3
    assert max(largest_payload_bytes(history.events) for history in histories) <= STORE_FROM_BYTES
    assert sum(history_bytes(history.events) for history in histories) <= BYTES_PER_CALL * view.calls
    assert len(state.model_dump_json()) <= STATE_BYTES_PER_TASK * TASKS
