"""Policies: a model that is forbidden receives no request, whatever happens to the others."""

from orchestrator.contracts.project import ProjectStatus
from orchestrator.domain.policy import Policy
from tests.workflow.conftest import Opened
from tests.workflow.harness import spec
from tests.workflow.play import DOWN, Play, text_task

NO_ALPHA = Policy(name="house", blocked_vendors=("alpha",))


async def test_a_blocked_vendor_receives_no_request_and_each_call_says_why(opened: Opened) -> None:
    play = Play(text_task("t1"), text_task("t2", "t1"))
    async with opened(play) as house:
        run = await house.start(spec(policies=(NO_ALPHA,)))
        view = await run.result()
        records = await run.records()
    assert view.status is ProjectStatus.SUCCESS
    assert play.count() == view.calls
    assert play.count(vendor="alpha") == 0
    assert all("alpha:one: policy house blocks alpha" in record.passed_over for record in records)


async def test_an_outage_of_what_is_allowed_does_not_open_what_is_forbidden(opened: Opened) -> None:
    play = Play(text_task("t1"))
    play.down("beta", "gamma", failure=DOWN)
    async with opened(play) as house:
        view = await house.play(spec(policies=(NO_ALPHA,)))
    assert view.status is ProjectStatus.SYSTEM_FAILURE
    assert play.count(vendor="alpha") == 0


async def test_where_everything_is_forbidden_nothing_is_asked(opened: Opened) -> None:
    play = Play(text_task("t1"))
    async with opened(play) as house:
        view = await house.play(spec(policies=(Policy(name="nowhere", allowed_regions=("mars",)),)))
    assert view.status is ProjectStatus.SYSTEM_FAILURE
    assert play.count() == 0
