"""What runs when, what is skipped, and how a run ends."""

import random

import pytest

from orchestrator.domain.pipeline import PipelineSpec
from orchestrator.domain.pipeline_machine import (
    actions,
    completed,
    expired,
    final_output,
    next_deadline_s,
    start,
)
from orchestrator.domain.pipeline_plan import PipelinePlan
from orchestrator.domain.pipeline_state import Bound, StepStatus, needed
from orchestrator.pipelines.validation import plan_of
from tests.unit.pipelines.machine import Play, llm, plan_with, ref


def at_work(plan: PipelinePlan, state_of: Play) -> list[str]:
    return [action.instance for action in actions(plan, state_of.state)]


def group(name: str, *steps: dict[str, object], **fields: object) -> dict[str, object]:
    return {"step_type": "parallel_group", "name": name, "sub_steps": steps, **fields}


def each(name: str, items: str, *steps: dict[str, object], **fields: object) -> dict[str, object]:
    return {"step_type": "for_each", "name": name, "items": items, "sub_steps": steps, **fields}


def test_steps_without_a_dependency_start_together_in_the_order_of_the_file() -> None:
    plan = plan_with(llm("a", "x"), llm("b", "x"), llm("c", "{a_output}"), llm("d", "x", depends_on=["b"]))
    play = Play(plan)
    assert at_work(plan, play) == ["a", "b"]
    play.step()
    assert at_work(plan, play) == ["b", "c"]


def test_a_variable_is_a_dependency_wherever_the_step_stands() -> None:
    plan = plan_with(llm("last", "{first_output}"), llm("first", "x"))
    play = Play(plan)
    play.finish()
    assert play.done == ["ask first", "ask last"]
    assert final_output(plan, play.state) == ref("first"), "the last in the file, not in time"


def test_a_condition_waits_for_what_it_asks_about() -> None:
    plan = plan_with(llm("b", "x", condition="not_empty:a_output"), llm("a", "x"), llm("c", "y", condition="topic"))
    assert (plan.nodes["b"].after, plan.nodes["c"].after) == (("a",), ())


def test_depends_on_alone_is_satisfied_by_a_skipped_step() -> None:
    play = Play(plan_with(llm("a", "x", condition="topic"), llm("b", "x", depends_on=["a"])), holds={"a": False})
    play.finish()
    assert play.statuses() == {"a": "SKIPPED", "b": "COMPLETED"}


def test_what_needs_the_output_of_a_skipped_step_is_skipped_transitively() -> None:
    plan = plan_with(
        llm("a", "x", condition="topic"), llm("b", "{a_output}"), llm("c", "{b_output}"), llm("d", "free of them")
    )
    play = Play(plan, holds={"a": False})
    state = play.finish()
    assert play.statuses() == {"a": "SKIPPED", "b": "SKIPPED", "c": "SKIPPED", "d": "COMPLETED"}
    assert state.steps["b"].reason == "needs 'a_output', which no step has given"
    assert final_output(plan, state) == ref("d")


@pytest.mark.parametrize(
    "reader",
    [
        llm("b", "x", condition="key_exists:a_output"),
        llm("b", "{{ a_output | default('none') }}", template="jinja"),
        llm("b", "{% if a_output is defined %}x{% endif %}", template="jinja"),
        {"step_type": "transform", "name": "b", "expression": "coalesce(a_output, 'none')"},
    ],
)
def test_readers_that_can_do_without_it_run_all_the_same(reader: dict[str, object]) -> None:
    play = Play(plan_with(llm("a", "x", condition="topic"), reader), holds={"a": False})
    play.finish()
    assert play.statuses() == {"a": "SKIPPED", "b": "COMPLETED"}


def test_a_false_condition_skips_all_that_a_step_holds() -> None:
    inner = {"step_type": "conditional", "name": "if", "condition": "topic", "sub_steps": [llm("a", "x")]}
    plan = plan_with(inner, llm("b", "{a_output}"))
    play = Play(plan, holds={"if": False})
    state = play.finish()
    assert state.status("if/a") is StepStatus.SKIPPED
    assert play.statuses() == {"if": "SKIPPED", "b": "SKIPPED"}


def test_a_conditional_gives_the_output_of_its_last_step_that_ran() -> None:
    steps = [llm("a", "x"), llm("b", "x", condition="topic")]
    plan = plan_with({"step_type": "conditional", "name": "if", "condition": "topic", "sub_steps": steps})
    state = Play(plan, holds={"b": False}).finish()
    assert state.steps["if"].output == ref("if/a")


def test_a_group_runs_side_by_side_and_gathers_the_outputs() -> None:
    plan = plan_with(group("g", llm("a", "x"), llm("b", "x"), llm("c", "x", condition="topic")), llm("d", "{b_output}"))
    play = Play(plan, holds={"c": False})
    play.step()
    play.step()
    assert at_work(plan, play) == ["g/c"]
    play.step()
    (assemble,) = actions(plan, play.state)
    assert not assemble.as_list
    assert assemble.parts == {"a": ref("g/a"), "b": ref("g/b")}
    play.finish()
    assert needed(plan, play.state, "d") == {"b_output": Bound(ref=ref("g/b"))}


def test_a_dependency_on_a_step_in_a_group_is_one_on_the_group() -> None:
    plan = plan_with(group("g", llm("a", "x"), llm("b", "x")), llm("c", "{a_output}"))
    play = Play(plan)
    play.step()
    assert at_work(plan, play) == ["g/b"]


def test_what_a_group_needs_from_outside_comes_before_all_of_it() -> None:
    plan = plan_with(llm("before", "x"), group("g", llm("a", "{before_output}"), llm("b", "x")))
    play = Play(plan)
    assert at_work(plan, play) == ["before"]


def test_elements_run_at_most_so_many_at_a_time_and_their_outputs_keep_their_order() -> None:
    plan = plan_with(each("e", "topics", llm("a", "{item} {item_index}"), llm("b", "{a_output}"), concurrency=3))
    choice = random.Random(4)
    play = Play(plan, counts={"e": 20}, pick=choice.choice)
    while len(play.done) < 41:
        play.step()
    assert play.widest == 3
    (assemble,) = actions(plan, play.state)
    assert assemble.as_list
    assert list(assemble.parts.values()) == [ref(f"e[{index}]/b") for index in range(20)]
    play.finish()
    assert list(play.state.steps) == ["e"], "the states of the elements go when the list is there"


def test_an_element_sees_itself_its_position_and_its_own_steps() -> None:
    plan = plan_with(each("e", "topics", llm("a", "{topic} {topic_index}"), llm("b", "{a_output}"), item_var="topic"))
    play = Play(plan, counts={"e": 2}, pick=lambda found: found[-1])
    play.step()
    items = ref("items of e")
    assert needed(plan, play.state, "e[1]/a") == {
        "topic": Bound(ref=items, index=1),
        "topic_index": Bound(literal=1),
    }
    play.step()
    assert needed(plan, play.state, "e[1]/b") == {"a_output": Bound(ref=ref("e[1]/a"))}


def test_loops_in_loops() -> None:
    plan = plan_with(
        each(
            "outer",
            "topics",
            each("inner", "item", llm("a", "{item} {part}"), item_var="part"),
            llm("b", "{inner_output}"),
        )
    )
    play = Play(plan, counts={"outer": 2, "inner": 3})
    play.finish()
    assert "ask outer[1]/inner[2]/a" in play.done
    assert play.done.count("assemble outer[0]/inner") == 1
    assert play.statuses() == {"outer": "COMPLETED"}


def test_no_elements_give_an_empty_list() -> None:
    plan = plan_with(each("e", "topics", llm("a", "{item}")))
    play = Play(plan, counts={"e": 0})
    play.step()
    (assemble,) = actions(plan, play.state)
    assert assemble.as_list
    assert assemble.parts == {}


def test_after_a_failure_nothing_starts_and_what_was_begun_may_end() -> None:
    plan = plan_with(llm("a", "x"), llm("b", "x"), llm("c", "{b_output}"))
    play = Play(plan, fails={"a": "no answer"})
    play.step()
    assert actions(plan, play.state) == ()
    play.state = completed(plan, play.state, "b", ref("b"), 2.0)
    assert actions(plan, play.state) == ()
    assert "c" not in play.state.steps
    state = play.finish()
    assert play.statuses() == {"a": "FAILED", "b": "COMPLETED", "c": "CANCELLED"}
    assert state.reason == "Step 'a' failed: no answer"
    assert final_output(plan, state) is None


def test_a_failure_within_others_fails_them_too() -> None:
    plan = plan_with(each("e", "topics", group("g", llm("a", "{item}"))))
    play = Play(plan, fails={"e[1]/g/a": "no answer"})
    state = play.finish()
    assert state.steps["e"].status is StepStatus.FAILED
    assert state.steps["e"].reason == "Sub-step 'g' failed: Sub-step 'a' failed: no answer"
    assert state.failed == "e[1]/g/a"


def test_a_group_that_is_out_of_time_fails() -> None:
    plan = plan_with(group("g", llm("a", "x"), timeout_seconds=10))
    state = start(plan, {}, 5.0)
    assert next_deadline_s(plan, state) == 15.0
    assert not expired(plan, state, 14.9).failed
    late = expired(plan, state, 15.0)
    assert late.failed == "g"
    assert late.reason == "Step 'g' failed: not done within 10 s"


def test_a_function_waits_for_all_before_it_unless_it_says_for_whom() -> None:
    transform = {"step_type": "transform", "function": "f"}
    steps = (
        llm("a", "x"),
        llm("b", "x"),
        {**transform, "name": "f1"},
        {**transform, "name": "f2", "depends_on": ["a"]},
    )

    plan = plan_of(PipelineSpec.model_validate({"name": "test", "steps": steps}), functions=("f",))
    assert plan.nodes["f1"].after == ("a", "b")
    assert plan.nodes["f2"].after == ("a",)


def test_functions_in_a_group_run_side_by_side_once_all_before_the_group_is_done() -> None:
    first: dict[str, object] = {"step_type": "transform", "function": "f", "name": "f1"}
    steps = (llm("a", "x"), group("g", first, {**first, "name": "f2"}), llm("b", "x"))
    plan = plan_of(PipelineSpec.model_validate({"name": "test", "steps": steps}), functions=("f",))
    assert plan.nodes["g"].after == ("a",)
    assert plan.nodes["f1"].after == plan.nodes["f2"].after == plan.nodes["b"].after == ()


@pytest.mark.parametrize("seed", range(20))
def test_any_order_of_outcomes_leads_to_the_same_end(seed: int) -> None:
    plan = plan_with(
        llm("a", "x"),
        group("g", llm("b", "{a_output}"), llm("c", "x", condition="topic")),
        each("e", "b_output", llm("d", "{item}"), concurrency=2),
        llm("f", "{e_output} {g_output}"),
        llm("h", "{c_output}"),
    )
    play = Play(plan, holds={"c": False}, counts={"e": 5}, pick=random.Random(seed).choice)
    play.finish()
    assert play.statuses() == {
        "a": "COMPLETED",
        "g": "COMPLETED",
        "g/b": "COMPLETED",
        "g/c": "SKIPPED",
        "e": "COMPLETED",
        "f": "COMPLETED",
        "h": "SKIPPED",
    }


def test_a_long_chain_and_many_elements_are_quick_enough() -> None:
    chain = [llm("s0", "x"), *(llm(f"s{number}", f"{{s{number - 1}_output}}") for number in range(1, 200))]
    plan = plan_with(*chain, each("e", "s199_output", llm("a", "{item}")))
    play = Play(plan, counts={"e": 500})
    while len(play.done) < 702:
        play.perform(actions(plan, play.state)[0])
    assert play.statuses()["e"] == "COMPLETED"
