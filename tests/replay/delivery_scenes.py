"""Behaviours of deliveries and of months whose histories are kept. Folders of this machine must not be in them."""

from orchestrator.contracts.delivery import Delivery, ScheduleTerms
from orchestrator.domain.outcome import ProjectStatus
from tests.replay.batch_scenes import BatchScene
from tests.workflow.batch_house import BatchRun, start_batch
from tests.workflow.harness import House, spec
from tests.workflow.play import Play

# The house allows none of it: what cannot be delivered is a note.
EVERYTHING = Delivery(webhook="https://hooks.example.com/x", command=("/bin/announce",), output_dir="results/%Y-%m-%d")


async def scheduled(house: House, play: Play) -> BatchRun:
    """A batch with a part of its schedule's month, which delivers."""
    terms = ScheduleTerms(name="scheduled", timezone="Europe/Berlin", month_micro=7_000_000)
    run = await start_batch(house, {"p1": spec()}, max_micro=9_000_000, schedule=terms, delivery=EVERYTHING)
    view = await run.result()
    assert view.status is ProjectStatus.SUCCESS and len(view.notes) == 3, view.notes
    return run


async def month_spent(house: House, play: Play) -> BatchRun:
    """A batch whose schedule has not enough left for any project."""
    terms = ScheduleTerms(name="spent", timezone="UTC", month_micro=1_000_000)
    run = await start_batch(house, {"p1": spec(), "p2": spec()}, schedule=terms)
    assert (await run.result()).status is ProjectStatus.BUDGET_EXHAUSTED
    return run


async def delivered(house: House, play: Play) -> BatchRun:
    """The history of a project that delivers."""
    run = await start_batch(house, {"p1": spec(delivery=EVERYTHING)})
    assert (await run.result()).status is ProjectStatus.SUCCESS
    return BatchRun(run.project("p1"), house.client)


DELIVERY_SCENES: dict[str, BatchScene] = {
    "batch_of_a_schedule": scheduled,
    "batch_month_spent": month_spent,
    "delivered": delivered,
}
