"""What follows the end of a run: files by date, notes of what failed, money of a month."""

from datetime import UTC, datetime
from pathlib import Path

from orchestrator.contracts.delivery import Delivery, ScheduleTerms
from orchestrator.contracts.project import ProjectStatus
from orchestrator.domain.tasks import Stage
from orchestrator.settings import Settings
from orchestrator.settings.delivery import grant_output
from tests.workflow.batch_house import by_key, start_batch
from tests.workflow.conftest import Opened
from tests.workflow.harness import spec
from tests.workflow.play import Play, text_task

AT_S = datetime(2026, 11, 21, 23, 30, tzinfo=UTC).timestamp()


def granted(settings: Settings, pattern: Path) -> Delivery:
    """A delivery that the user of this machine asked for."""
    grant_output(settings.home, str(pattern))
    return Delivery(output_dir=str(pattern), timezone="Asia/Tokyo", at_s=AT_S)


async def test_files_are_written_when_each_project_ends(opened: Opened, settings: Settings, tmp_path: Path) -> None:
    delivery = granted(settings, tmp_path / "%Y-%m-%d")
    async with opened(Play(text_task("t1"))) as house:
        several = await (await start_batch(house, {"a": spec(), "b": spec()}, delivery=delivery)).result()
        alone = await (await start_batch(house, {"c": spec()}, delivery=delivery)).result()
    day = tmp_path / "2026-11-22"
    assert {key: one.output_dir for key, one in by_key(several).items()} == {"a": f"{day}/a", "b": f"{day}/b"}
    assert by_key(alone)["c"].output_dir == f"{day}-2", "the folder of the day holds other runs"
    assert all((Path(one.output_dir) / "summary.json").is_file() for one in (*several.projects, *alone.projects))
    assert not several.notes and not alone.notes


async def test_what_cannot_be_delivered_is_a_note_and_changes_nothing_else(opened: Opened) -> None:
    wanted = Delivery(webhook="https://hooks.example.com/x", command=("/bin/announce",), output_dir="results")
    async with opened(Play(text_task("t1"))) as house:
        run = await start_batch(house, {"a": spec(delivery=wanted)}, delivery=Delivery(webhook=wanted.webhook))
        batch = await run.result()
        project = await run.project("a").result()
    assert batch.status is project.status is ProjectStatus.SUCCESS
    told = "delivery.webhook failed: this worker calls no webhook: set ORCH_WEBHOOK_SECRET in its environment"
    assert batch.notes == (told,)
    assert len(project.notes) == 3 and told in project.notes
    assert all(variable in str(project.notes) for variable in ("ORCH_HOOK_COMMANDS", "ORCH_OUTPUT_ROOT"))


async def test_runs_of_a_month_share_its_money(opened: Opened) -> None:
    terms = ScheduleTerms(name="shared", timezone="UTC", month_micro=16_000_000)
    play = Play(text_task("t1"))
    gate = play.hold(Stage.PLAN, times=1)
    async with opened(play) as house:
        first = await start_batch(house, {"a": spec()}, max_micro=5_000_000, schedule=terms)
        await gate.arrived.wait()
        # While the first one runs, its whole budget is set aside.
        second = await (await start_batch(house, {"b": spec()}, max_micro=20_000_000, schedule=terms)).result()
        third = await (await start_batch(house, {"c": spec()}, max_micro=20_000_000, schedule=terms)).result()
        gate.open()
        ended = await first.result()
    assert (ended.status, second.status, third.status) == (ProjectStatus.SUCCESS,) * 3
    assert ended.max_micro == 5_000_000 and second.max_micro == 11_000_000
    assert third.max_micro == 11_000_000 - second.spent_micro


async def test_a_batch_that_a_month_cannot_pay_starts_nothing(opened: Opened) -> None:
    terms = ScheduleTerms(name="poor", timezone="UTC", month_micro=4_999_999)
    play = Play(text_task("t1"))
    async with opened(play) as house:
        view = await (await start_batch(house, {"a": spec(), "b": spec()}, schedule=terms)).result()
    assert view.status is ProjectStatus.BUDGET_EXHAUSTED and "schedule poor" in view.reason
    assert [one.status for one in view.projects] == ["BUDGET_EXHAUSTED"] * 2
    assert play.count(Stage.PLAN) == 0
