"""Suggestions for the project text: all applied, chosen by a person, refused, dropped; and runs without any."""

import json

from orchestrator.contracts import names
from orchestrator.contracts.messages import ApprovePlan, ChooseSuggestions
from orchestrator.contracts.project import ProjectStatus
from orchestrator.domain.answers import Suggestion, SuggestionKind, SuggestionsAnswer
from orchestrator.domain.apps import EnhanceMode
from orchestrator.domain.enhancing import Enhancement
from orchestrator.domain.tasks import Stage
from orchestrator.testing.scripted import Reply
from tests.workflow.conftest import Opened
from tests.workflow.harness import Run, spec
from tests.workflow.play import DOWN, Play, text_task

ERRORS = Suggestion(
    kind=SuggestionKind.COMPLETENESS,
    title="Errors",
    description="Why?",
    patch_project="An error ends with exit code 1.",
)
TESTED = Suggestion(
    kind=SuggestionKind.CRITERION, title="Tests", description="Why?", patch_criteria="All tests pass in 10 s."
)
CRASH = Suggestion(
    kind=SuggestionKind.RISK,
    title="Crash",
    description="Why?",
    patch_project="Files are replaced as a whole.",
    patch_criteria="A crash loses nothing.",
)
THREE = SuggestionsAnswer(suggestions=[ERRORS, TESTED, CRASH])


def suggesting(answer: Reply = THREE) -> Play:
    play = Play(text_task("t1"))
    play.on(Stage.ENHANCE, reply=answer)
    return play


def prompt_of(play: Play, stage: Stage) -> str:
    return play.requests(stage)[-1].request.prompt


async def waiting(run: Run) -> None:
    view = await run.until(lambda view: view.status is ProjectStatus.WAITING_APPROVAL)
    assert view.awaits == "suggestions"


async def test_all_are_applied_in_every_later_prompt(opened: Opened) -> None:
    play = suggesting()
    async with opened(play) as house:
        run = await house.start(spec(enhance=EnhanceMode.ALL))
        view = await run.result()
        events = await run.events()
    assert view.status is ProjectStatus.SUCCESS, view.reason
    for stage in (Stage.PLAN, Stage.GENERATE, Stage.EVALUATE):
        prompt = prompt_of(play, stage)
        assert "Write some files.\nAn error ends with exit code 1.\nFiles are replaced as a whole.\n" in prompt
        assert "They are there.\nAll tests pass in 10 s.\nA crash loses nothing.\n" in prompt
    applied = [event.text for event in events if event.kind == "suggestion_applied"]
    assert applied == ["s1 completeness: Errors", "s2 criterion: Tests", "s3 risk: Crash"]
    assert set(view.spent_by_stage) == {"enhance", "plan"}


async def test_a_person_chooses_and_the_run_waits_for_it(opened: Opened) -> None:
    play = suggesting()
    async with opened(play) as house:
        run = await house.start(spec(enhance=EnhanceMode.ASK))
        await waiting(run)
        offered: Enhancement = await run.query(names.QUERY_SUGGESTIONS, Enhancement)
        assert [(one.id, one.title) for one in offered.suggestions] == [
            ("s1", "Errors"),
            ("s2", "Tests"),
            ("s3", "Crash"),
        ]
        assert play.count() == 1
        assert "'s9'" in await run.refusal(ChooseSuggestions(accepted=("s1", "s9")))
        assert "no plan waits" in await run.refusal(ApprovePlan())
        line = await run.steer(ChooseSuggestions(accepted=("s3",), by="ann"))
        assert line == "1 of 3 suggestions are applied"
        assert await run.steer(ChooseSuggestions(accepted=("s3",))) == line
        assert "already: s3" in await run.refusal(ChooseSuggestions(accepted=()))
        view = await run.result()
        events = [(e.kind, e.text, e.by) for e in await run.events() if e.kind.startswith("suggestion_")]
    assert view.status is ProjectStatus.SUCCESS, view.reason
    assert view.elapsed_s < 60
    assert events == [
        ("suggestion_dropped", "s1 completeness: Errors", "ann"),
        ("suggestion_dropped", "s2 criterion: Tests", "ann"),
        ("suggestion_applied", "s3 risk: Crash", "ann"),
    ]
    plan = prompt_of(play, Stage.PLAN)
    assert "Files are replaced as a whole." in plan
    assert "exit code 1" not in plan


async def test_none_may_be_chosen(opened: Opened) -> None:
    play = suggesting()
    async with opened(play) as house:
        run = await house.start(spec(enhance=EnhanceMode.ASK))
        await waiting(run)
        await run.steer(ChooseSuggestions())
        assert (await run.result()).status is ProjectStatus.SUCCESS
    assert "Write some files.\n<" in prompt_of(play, Stage.PLAN)


async def test_nothing_waits_before_there_are_suggestions_or_where_there_are_none(opened: Opened) -> None:
    play = suggesting(SuggestionsAnswer(suggestions=[]))
    gate = play.hold(Stage.ENHANCE)
    async with opened(play) as house:
        run = await house.start(spec(enhance=EnhanceMode.ASK))
        await gate.arrived.wait()
        assert "no suggestions wait" in await run.refusal(ChooseSuggestions())
        gate.open()
        assert (await run.result()).status is ProjectStatus.SUCCESS


async def test_a_bad_suggestion_is_dropped_alone_and_a_note_says_so(opened: Opened) -> None:
    bad = {"kind": "wish", "title": "Colours", "description": "Why?", "patch_project": "In colour."}
    empty = {"kind": "risk", "title": "Nothing", "description": "Why?"}
    found = [bad, json.loads(ERRORS.model_dump_json()), "no suggestion at all", empty]
    play = suggesting(json.dumps({"suggestions": found}))
    async with opened(play) as house:
        view = await house.play(spec(enhance=EnhanceMode.ALL))
    assert view.status is ProjectStatus.SUCCESS
    assert play.count(Stage.ENHANCE) == 1
    plan = prompt_of(play, Stage.PLAN)
    assert "exit code 1" in plan
    assert "In colour" not in plan
    dropped = [note for note in view.notes if "is dropped" in note]
    assert [note.split(":")[1] for note in dropped] == [f" suggestion {n} is dropped" for n in (1, 3, 4)]


async def test_a_run_goes_on_without_suggestions(opened: Opened) -> None:
    play = suggesting("I would rather not say.")
    async with opened(play) as house:
        view = await house.play(spec(enhance=EnhanceMode.ASK))
    assert view.status is ProjectStatus.SUCCESS
    assert play.count(Stage.ENHANCE) == 2
    assert any("nobody made suggestions" in note for note in view.notes)


async def test_a_total_outage_ends_at_the_plan(opened: Opened) -> None:
    play = suggesting(DOWN)
    async with opened(play) as house:
        view = await house.play(spec(enhance=EnhanceMode.ALL, advise=True))
    assert view.status is ProjectStatus.SYSTEM_FAILURE
    assert view.reason.startswith("no plan: ")
    assert play.count(Stage.PLAN) == 0


async def test_suggestions_wait_through_a_resume_and_are_not_asked_for_again(opened: Opened) -> None:
    play = suggesting()
    project = spec(enhance=EnhanceMode.ASK)
    async with opened(play) as house:
        run = await house.start(project)
        await waiting(run)
        await run.handle.cancel()
        assert (await run.result()).status is ProjectStatus.CANCELLED
        again = await house.resume(run, project)
        await waiting(again)
        await again.steer(ChooseSuggestions(accepted=("s1",)))
        view = await again.result()
    assert view.status is ProjectStatus.SUCCESS, view.reason
    assert play.count(Stage.ENHANCE) == 1
    assert "exit code 1" in prompt_of(play, Stage.PLAN)


async def test_what_was_chosen_holds_after_a_resume_and_in_later_executions(opened: Opened) -> None:
    play = suggesting()
    play.tasks = (text_task("t1"), text_task("t2", "t1"))
    gate = play.hold(Stage.GENERATE, "t2", times=1)
    project = spec(enhance=EnhanceMode.ALL, continue_after_events=30)
    async with opened(play) as house:
        run = await house.start(project)
        await gate.arrived.wait()
        await run.handle.cancel()
        assert (await run.result()).status is ProjectStatus.CANCELLED
        gate.open()
        again = await house.resume(run, project)
        view = await again.result()
        state = await again.state()
    assert view.status is ProjectStatus.SUCCESS, view.reason
    assert play.count(Stage.ENHANCE) == 1
    assert all("exit code 1" in asked.request.prompt for asked in play.requests(Stage.GENERATE))
    assert state.prepared is not None
    assert state.enhancement is not None
    assert state.prepared.project != state.enhancement.project
