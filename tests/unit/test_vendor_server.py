"""The fake vendor server itself: rules, records, costs, refusal, and the process of its own."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from orchestrator.domain.model import ModelSpec
from orchestrator.domain.money import PriceTier
from orchestrator.testing.vendor_records import VendorLog, log_billed_micro
from orchestrator.testing.vendor_script import Fault, Reply, Rule, from_rules
from orchestrator.testing.vendor_server import FakeVendorServer

PRICE = PriceTier(input_micro=1_000_000, cached_input_micro=500_000, output_micro=2_000_000)
SPEC = ModelSpec(id="openai:m", vendor="openai", model="m", prices=(PRICE,), context_tokens=9, max_output_tokens=9)


def body(system: str = "stage: plan\nx", prompt: str = "hello", stream: bool = False) -> bytes:
    messages = [{"role": "system", "content": system}, {"role": "user", "content": prompt}]
    return json.dumps({"model": "m", "messages": messages, "stream": stream}).encode()


def post(port: int, data: bytes, path: str = "/v1/chat/completions") -> Any:
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", data, method="POST")
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.loads(answer.read())


def text(answer: Any) -> str:
    found: str = answer["choices"][0]["message"]["content"]
    return found


def test_rules_choose_by_vendor_stage_text_and_number() -> None:
    rules = [
        Rule(vendor="deepseek", reply=Reply(text="deep")),
        Rule(stage="plan", nth=2, reply=Reply(text="second plan")),
        Rule(stage="plan", first=1, reply=Reply(text="first plan")),
        Rule(contains="needle", reply=Reply(text="found")),
    ]
    with FakeVendorServer(from_rules(rules, Reply(text="other"))) as server:
        answers = [text(post(server.port, body())) for _ in range(3)]
        answers.append(text(post(server.port, body(prompt="a needle"))))
        answers.append(text(post(server.port, body(), "/deepseek/v1/chat/completions")))
    assert answers == ["first plan", "second plan", "other", "found", "deep"]
    assert [record.request.stage for record in server.requests] == ["plan"] * 5


def test_costs_are_those_of_the_catalog() -> None:
    with FakeVendorServer(from_rules([], Reply(text="x" * 40))) as server:
        post(server.port, body(system="", prompt="y" * 20))
        usage = server.requests[0].usage
        assert (usage.input_tokens, usage.output_tokens) == (6, 11)
        assert server.billed_micro([SPEC]) == 6 + 22


def test_an_answer_that_breaks_off_costs_what_was_sent() -> None:
    reply = Reply(text="x" * 40, chunks=4, fault=Fault.CUT, fault_after=1)
    with FakeVendorServer(from_rules([], reply)) as server:
        connection = HTTPConnection("127.0.0.1", server.port, timeout=10)
        connection.request("POST", "/v1/chat/completions", body(stream=True))
        answer = connection.getresponse()
        with pytest.raises(Exception, match="IncompleteRead"):
            answer.read()
        connection.close()
        server.wait_for(lambda s: s.requests[0].ended_s is not None)
    record = server.requests[0]
    assert (record.sent, record.complete, record.usage.output_tokens) == ("x" * 10, False, 3)


def test_one_connection_serves_many_requests() -> None:
    with FakeVendorServer() as server:
        connection = HTTPConnection("127.0.0.1", server.port, timeout=10)
        for _ in range(50):
            connection.request("POST", "/v1/chat/completions", body())
            assert connection.getresponse().read()
        connection.close()
        assert len(server.requests) == 50


def test_refused_connections_and_the_same_port_afterwards() -> None:
    with FakeVendorServer() as server:
        port = server.port
        server.refuse()
        with pytest.raises(urllib.error.URLError):
            post(port, body())
        server.accept()
        assert text(post(port, body())) == "ok"
        assert len(server.requests) == 1


def test_credentials_are_not_kept() -> None:
    with FakeVendorServer() as server:
        connection = HTTPConnection("127.0.0.1", server.port, timeout=10)
        connection.request("POST", "/v1/messages", body(), {"X-Api-Key": "my-secret", "Authorization": "my-secret"})
        connection.getresponse().read()
        connection.close()
        assert "my-secret" not in repr(server.requests)


def test_an_unknown_path_is_no_vendor() -> None:
    with FakeVendorServer() as server:
        with pytest.raises(urllib.error.HTTPError):
            post(server.port, body(), "/v1/unknown")
        assert server.requests == []


@pytest.mark.parametrize("kind", ["json", "py"])
def test_a_process_of_its_own(tmp_path: Path, kind: str) -> None:
    script, log, port_file = tmp_path / f"script.{kind}", tmp_path / "log.jsonl", tmp_path / "port"
    if kind == "json":
        script.write_text('[{"stage": "plan", "reply": {"text": "scripted"}}]')
    else:
        source = "from orchestrator.testing.vendor_script import Reply\n"
        script.write_text(source + "def reply(request):\n    return Reply(text='scripted')\n")
    command = [sys.executable, "-m", "orchestrator.testing.vendor_server", "--port-file", str(port_file)]
    root = Path(__file__).parents[2]
    process = subprocess.Popen(
        [*command, "--script", str(script), "--log", str(log)], cwd=root, env={**os.environ, "PYTHONPATH": str(root)}
    )
    try:
        deadline = time.monotonic() + 60
        while not port_file.exists():
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.02)
        assert text(post(int(port_file.read_text()), body())) == "scripted"
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    events = VendorLog(log).events()
    assert [event["event"] for event in events] == ["received", "finished"]
    assert events[-1]["complete"]
    assert log_billed_micro(events, [SPEC]) > 0
