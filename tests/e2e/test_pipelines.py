"""Pipelines by the real command line: documented examples, parallel steps, kills, steering, exit codes."""

import asyncio
import json
import os
import re
import shlex
import signal
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from orchestrator.client.facade import OrchClient
from orchestrator.client.pipeline_spec import build_run
from orchestrator.domain.errors import UserInputError
from orchestrator.domain.money import micro
from orchestrator.pipelines.executor import PipelineExecutor
from orchestrator.pipelines.pipeline import Pipeline
from orchestrator.pipelines.steps import create_llm_step, create_transform_step
from orchestrator.pipelines.templates import load
from orchestrator.testing.installation import Command, Outcome, kill_process
from orchestrator.testing.vendor_script import Reply, VendorRequest
from tests.e2e.theatre import Theatre, said

DOCUMENTED = """\
name: research_and_summarize
version: "1.0"
description: "Research a topic and create a summary"
steps:
  - name: research
    model: gemini-2.5-flash-lite
    prompt: "Research the following topic:\\n{topic}"
    output_key: research_output

  - name: summarize
    model: gemini-2.5-flash-lite
    prompt: "Summarize these findings:\\n{research_output}"
    output_key: summary
    depends_on: research
"""
CHAIN = """\
name: chain
inputs: {start: {type: string}}
steps:
  - {name: one, model: gpt-5-mini, prompt: "one {start}"}
  - {name: two, model: gpt-5-mini, prompt: "two {one_output}"}
  - {name: three, model: gpt-5-mini, prompt: "three {two_output}"}
  - {name: four, model: gpt-5-mini, prompt: "four {three_output}"}
"""
FOUR = """\
name: four
steps:
  - name: side_by_side
    step_type: parallel_group
    sub_steps:
      - {name: a, model: gpt-5-mini, prompt: a}
      - {name: b, model: gpt-5-mini, prompt: b}
      - {name: c, model: gpt-5-mini, prompt: c}
      - {name: d, model: gpt-5-mini, prompt: d}
"""
EACH = """\
name: each
inputs: {words: {type: list}}
steps:
  - name: every
    step_type: for_each
    items: words
    concurrency: 16
    sub_steps:
      - {name: say, model: gpt-5-mini, prompt: "say {item}"}
"""
ALONE = "name: alone\nsteps:\n  - {name: a, model: gpt-5-mini, prompt: hello%s}\n"


def answered(latency_ms: float = 0.0) -> Callable[[VendorRequest], Reply]:
    """Every prompt is answered by its first word."""

    def reply(request: VendorRequest) -> Reply:
        return Reply(text=f"<{request.prompt.split()[0]}>", latency_ms=latency_ms)

    return reply


def file(theatre: Theatre, text: str, name: str = "pipeline.yaml") -> str:
    """A file in the folder where the commands run."""
    path = theatre.installation.folder / name
    path.write_text(text, encoding="utf-8")
    return str(path)


def run_id(command: Command) -> str:
    """The id that the command says once the run has started."""
    match = re.search(r"^Started (\S+)\.$", said(command, "Started "), flags=re.MULTILINE)
    assert match
    return match[1]


def test_the_documented_example(theatre: Theatre) -> None:
    theatre.play(lambda request: Reply(text="Findings." if "Research" in request.prompt else "A summary."))
    outcome = theatre.installation.run("pipeline", "run", file(theatre, DOCUMENTED), "-i", "topic=AI Safety")
    assert outcome.code == 0, outcome.err
    assert outcome.out == "A summary.\n"
    assert [record.request.prompt for record in theatre.requests] == [
        "Research the following topic:\nAI Safety",
        "Summarize these findings:\nFindings.",
    ]
    assert all(record.request.vendor == "google" for record in theatre.requests)
    assert "SUCCESS" in outcome.err


def test_json_says_everything_and_costs_are_what_the_vendors_count(theatre: Theatre) -> None:
    theatre.play(answered())
    (theatre.installation.folder / "inputs.json").write_text('{"start": "now"}', encoding="utf-8")
    inputs = ("-i", "start=before", "-i", "@inputs.json")
    outcome = theatre.ask("pipeline", "run", file(theatre, CHAIN), *inputs)
    assert outcome.code == 0, outcome.err
    result = outcome.object
    assert (result["status"], result["success"], result["final_output"]) == ("SUCCESS", True, "<four>")
    assert result["outputs"] == {f"{name}_output": f"<{name}>" for name in ("one", "two", "three", "four")}
    assert not result["simulated"]
    assert micro(result["spent_usd"]) == theatre.billed_micro()
    assert sum(micro(step["spent_usd"]) for step in result["steps"]) == theatre.billed_micro()
    assert result["steps"][1]["input_preview"] == "two <one>"
    assert theatre.requests[0].request.prompt == "one now"


def test_four_parallel_steps_leave_together(theatre: Theatre) -> None:
    theatre.play(answered(latency_ms=400))
    outcome = theatre.ask("pipeline", "run", file(theatre, FOUR))
    assert outcome.code == 0, outcome.err
    started = [record.started_s for record in theatre.requests]
    assert len(started) == 4
    assert max(started) - min(started) < 0.4
    assert outcome.object["final_output"] == {name: f"<{name}>" for name in "abcd"}


@pytest.mark.parametrize("victim", ["worker", "server", "both", "command"])
def test_a_kill_loses_and_repeats_nothing(theatre: Theatre, victim: str) -> None:
    theatre.play(answered(latency_ms=300))
    command = theatre.command("pipeline", "run", file(theatre, CHAIN), "-i", f"start={victim}", "--json")
    run = run_id(command)
    theatre.wait_for(lambda: len(theatre.requests) == 2)
    installation = theatre.installation
    worker, server = installation.worker_pid(), installation.server_pid()
    both: list[int | None] = [worker, server]
    pids = {"worker": [worker], "server": [server], "both": both}.get(victim, [command.process.pid])
    for pid in pids:
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
    if victim == "command":
        command.process.wait()
        outcome = installation.run("watch", run, "--json")
    else:
        for pid in pids:
            assert pid is not None
            kill_process(pid)
        outcome = command.wait()
    assert outcome.code == 0, outcome.err
    result = outcome.object
    assert result["final_output"] == "<four>"
    asked = Counter(record.request.prompt for record in theatre.requests)
    assert set(asked) == {f"one {victim}", "two <one>", "three <two>", "four <three>"}
    again = {prompt: times for prompt, times in asked.items() if times > 1}
    assert set(again) <= {"two <one>"}, asked  # what was on its way, whose fate nobody knows
    assert (result["uncertain_usd"] > 0) == bool(again)
    if victim == "command":
        assert not again
    assert micro(result["spent_usd"]) + micro(result["uncertain_usd"]) >= theatre.billed_micro()


@pytest.mark.long
def test_five_hundred_elements_survive_a_kill(theatre: Theatre) -> None:
    theatre.play(answered())
    words = [f"w{number}" for number in range(500)]
    (theatre.installation.folder / "words.json").write_text(json.dumps({"words": words}), encoding="utf-8")
    command = theatre.command("pipeline", "run", file(theatre, EACH), "-i", "@words.json", "--json")
    theatre.wait_for(lambda: len(theatre.requests) > 150)
    worker = theatre.installation.worker_pid()
    assert worker is not None
    kill_process(worker)
    outcome = command.wait()
    assert outcome.code == 0, outcome.err
    result = outcome.object
    assert result["final_output"] == ["<say>"] * 500
    every = next(step for step in result["steps"] if step["name"] == "every")
    assert (every["elements_done"], every["elements_total"]) == (500, 500)
    asked = Counter(record.request.prompt for record in theatre.requests)
    assert len(asked) == 500
    assert sum(asked.values()) <= 500 + 16  # only what was on its way when the worker died


def test_two_hundred_steps(theatre: Theatre) -> None:
    lines = ["name: long", "steps:", "  - {name: s0, model: any, prompt: go}"]
    lines += [f"  - {{name: s{n}, model: any, prompt: '{{s{n - 1}_output}}'}}" for n in range(1, 200)]
    outcome = theatre.ask("pipeline", "run", file(theatre, "\n".join(lines)), "--mock")
    assert outcome.code == 0, outcome.err
    assert len(outcome.object["steps"]) == 200
    assert outcome.object["calls"] == 200


def test_mock_asks_nobody(theatre: Theatre) -> None:
    theatre.play(answered())
    outcome = theatre.installation.run("pipeline", "run", file(theatre, DOCUMENTED), "--mock")
    assert outcome.code == 0, outcome.err
    shown = "Summarize these findings: [Mock gemini-2.5-flash-lite response] Processed: 'Research the following"
    assert outcome.out == f"[Mock gemini-2.5-flash-lite response] Processed: '{shown[:80]}...'\n"
    given = theatre.installation.run("pipeline", "run", file(theatre, DOCUMENTED), "--mock", "-i", "topic=X", "--json")
    assert given.object["steps"][0]["input_preview"].endswith("topic: X")
    assert theatre.requests == []


def test_detach_watch_and_trace(theatre: Theatre) -> None:
    theatre.play(answered(latency_ms=200))
    outcome = theatre.ask("pipeline", "run", file(theatre, CHAIN), "-i", "start=later", "--detach")
    assert outcome.code == 0, outcome.err
    run = outcome.object["run_id"]
    assert outcome.object["final_output"] is None
    watched = theatre.ask("watch", run)
    assert watched.code == 0, watched.err
    assert watched.object["final_output"] == "<four>"
    status = theatre.ask("status", run)
    assert (status.code, status.object["status"]) == (0, "SUCCESS")
    listed = theatre.ask("pipeline", "list").object["runs"]
    assert next(row for row in listed if row["run_id"] == run)["steps_done"] == 4
    trace = theatre.installation.run("pipeline", "trace", run).object
    assert [step["step_name"] for step in trace["step_traces"]] == ["one", "two", "three", "four"]
    assert trace["success"]
    assert trace["total_tokens"] > 0
    assert trace["step_traces"][0]["input_preview"] == "one later"
    markdown = theatre.installation.run("pipeline", "trace", run, "--markdown").out
    assert markdown.startswith("# Pipeline Trace: chain")
    events = theatre.installation.run("events", run).out
    for kind in ("started", "task_running", "call_started", "call_settled", "task_completed", "finished"):
        assert kind in events


def test_pause_resume_cancel(theatre: Theatre) -> None:
    theatre.play(answered(latency_ms=60_000))  # longer than the commands that steer it
    patient = CHAIN.replace('"one {start}"', '"one {start}", timeout_seconds: null')
    command = theatre.command("pipeline", "run", file(theatre, patient), "-i", "start=x", "--json")
    run = run_id(command)
    theatre.wait_for(lambda: len(theatre.requests) == 1)
    paused = theatre.ask("pause", run, "--reason", "lunch")
    assert paused.code == 0, paused.err
    assert (paused.object["status"], paused.object["reason"]) == ("PAUSED", "lunch")
    resumed = theatre.ask("resume", run)
    assert (resumed.code, resumed.object["status"]) == (0, "RUNNING"), resumed.err
    cancelled = theatre.ask("cancel", run)
    assert (cancelled.code, cancelled.object["status"]) == (0, "CANCELLED"), cancelled.err
    outcome = command.wait()
    assert outcome.code == 8
    assert outcome.object["final_output"] is None
    assert len(theatre.requests) == 1


def test_ctrl_c_detaches(theatre: Theatre) -> None:
    theatre.play(answered(latency_ms=300))
    command = theatre.command("pipeline", "run", file(theatre, CHAIN), "-i", "start=on")
    run = run_id(command)
    theatre.wait_for(lambda: len(theatre.requests) == 1)
    command.process.send_signal(signal.SIGINT)
    outcome = command.wait()
    assert (outcome.code, outcome.out) == (130, "")
    assert f"orch-cli watch {run}" in outcome.err
    assert theatre.ask("watch", run).object["final_output"] == "<four>"


def _failing(theatre: Theatre, text: str, *options: str) -> Outcome:
    return theatre.ask("pipeline", "run", file(theatre, text), *options)


def test_failures_exit_non_zero(theatre: Theatre) -> None:
    theatre.play(lambda request: Reply(status=503))
    down = _failing(theatre, ALONE % "")
    assert (down.code, down.object["status"]) == (7, "SYSTEM_FAILURE")
    assert down.object["steps"][0]["status"] == "FAILED"
    assert len(theatre.requests) == 1  # nothing was said about retries
    theatre.play(answered(latency_ms=5000))
    late = _failing(theatre, ALONE % ", timeout_seconds: 0.3")
    assert (late.code, late.object["status"]) == (6, "TIMEOUT")
    theatre.play(answered())
    poor = _failing(theatre, ALONE % ", max_tokens: 8000", "--budget", "0.000100")
    assert (poor.code, poor.object["status"]) == (5, "BUDGET_EXHAUSTED")
    assert theatre.requests == []
    theatre.play(lambda request: Reply(status=503) if "two" in request.prompt else Reply(text="fine"))
    policy = Path("policies.yaml")
    policy.write_text("policies: [{blocked_vendors: [openai]}]", encoding="utf-8")
    refused = _failing(theatre, ALONE % "", "--policy", str(policy.absolute()))
    assert (refused.code, refused.object["status"]) == (7, "SYSTEM_FAILURE")
    assert theatre.requests == []
    partial = _failing(theatre, CHAIN, "-i", "start=x")
    assert (partial.code, partial.object["status"]) == (4, "PARTIAL_SUCCESS")
    assert [step["status"] for step in partial.object["steps"]] == ["COMPLETED", "FAILED", "CANCELLED", "CANCELLED"]
    assert partial.object["final_output"] is None


def test_an_ended_run_is_resumed(theatre: Theatre) -> None:
    theatre.play(lambda request: Reply(status=503) if "three" in request.prompt else Reply(text="fine"))
    ended = _failing(theatre, CHAIN, "-i", "start=x")
    assert ended.code == 4
    theatre.play(answered())
    outcome = theatre.ask("resume", ended.object["run_id"], "--budget", "1")
    assert outcome.code == 0, outcome.err
    result = outcome.object
    assert (result["status"], result["final_output"], result["max_usd"]) == ("SUCCESS", "<four>", 1.0)
    assert [record.request.prompt for record in theatre.requests] == ["three fine", "four <three>"]
    assert micro(result["spent_usd"]) == micro(ended.object["spent_usd"]) + theatre.billed_micro()
    again = theatre.ask("resume", result["run_id"])
    assert (again.code, again.object["final_output"]) == (0, "<four>")
    assert "is complete" in again.err


def test_retries_and_fallbacks_of_real_vendors(theatre: Theatre) -> None:
    retry = ", retry: {max_retries: 2, backoff: constant, base_delay_s: 0.3}, fallback: claude-haiku-4-5"
    theatre.play(lambda request: Reply(status=503) if request.vendor == "openai" else Reply(text="done"))
    outcome = _failing(theatre, ALONE % retry)
    assert outcome.code == 0, outcome.err
    by_vendor = Counter(record.request.vendor for record in theatre.requests)
    assert by_vendor == {"openai": 3, "anthropic": 1}
    times = [record.started_s for record in theatre.requests if record.request.vendor == "openai"]
    assert all(later - sooner >= 0.3 for sooner, later in pairwise(times))
    assert outcome.object["steps"][0]["model"].startswith("anthropic:")


def test_answers_of_models_do_not_reach_the_terminal_raw(theatre: Theatre) -> None:
    theatre.play(lambda request: Reply(text="line 1\nline \x1b[2J2\n\ttab"))
    outcome = theatre.installation.run("pipeline", "run", file(theatre, ALONE % ""))
    assert outcome.out == "line 1\nline 2\n\ttab\n"


def test_templates_run_without_keys_here_and_there_alike(theatre: Theatre) -> None:
    templates = theatre.ask("pipeline", "templates").object["templates"]
    documented = {"research_and_summarize", "extract_and_validate", "translate_and_review", "analyze_and_report"}
    assert documented < {each["template"] for each in templates}
    for each in templates:
        name = each["template"]
        outcome = theatre.ask("pipeline", "run", name, "--mock")
        assert outcome.code == 0, f"{name}: {outcome.err}"
        inputs = build_run(load(name), {}, models=(), embedded=True, mock=True).inputs
        here = PipelineExecutor().execute(Pipeline.of(load(name)), inputs)
        assert outcome.object["final_output"] == here.final_output, name
        assert outcome.object["outputs"].items() <= here.outputs.items(), name


def test_the_commands_of_the_page_work(theatre: Theatre) -> None:
    theatre.play(answered())
    page = (Path(__file__).parents[2] / "docs" / "pipelines.md").read_text(encoding="utf-8")
    section = page.split("<!-- command line -->")[1].split("<!-- /command line -->")[0]
    commands = section.split("```sh\n")[1].split("```")[0].splitlines()
    assert len(commands) > 5
    for command in commands:
        program, *arguments = shlex.split(command)
        assert program == "orch-cli"
        outcome = theatre.installation.run(*arguments)
        assert outcome.code == 0, f"{command}\n{outcome.err}"
        assert outcome.out


async def _in_python(theatre: Theatre) -> None:
    client = await OrchClient.connect(theatre.installation.settings, lambda line: None)
    pipeline = Pipeline(name="analysis", steps=[create_llm_step("analyze", "gpt-5-mini", "Analyze: {topic}")])
    found = await client.run_pipeline(pipeline, {"topic": "tides"}, max_micro=1_000_000)
    assert found.success
    assert found.final_output == "<Analyze:>"
    assert found.view.spent_micro == theatre.billed_micro()
    with pytest.raises(UserInputError, match="topic"):
        await client.run_pipeline(pipeline, {})
    pipeline.add_step(create_transform_step("shout", lambda values: values["analyze_output"].upper()))
    with pytest.raises(UserInputError, match="PipelineExecutor"):
        await client.run_pipeline(pipeline, {"topic": "tides"})


def test_pipelines_of_python_run_on_temporal(theatre: Theatre) -> None:
    theatre.play(answered())
    theatre.installation.run("server", "up")
    asyncio.run(_in_python(theatre))
