"""`models` and `models check` as a user runs them, against the fake vendors."""

import os
import pty
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.catalog import open_catalog
from orchestrator.settings import load_settings
from orchestrator.settings.vendors import VENDORS
from orchestrator.testing.vendor_script import Fault, Reply, Rule, from_rules
from orchestrator.testing.vendor_server import FakeVendorServer
from tests.cli.command import COMMAND, orch

KEYS = {
    "id", "vendor", "model", "input_usd_per_mtok", "cached_input_usd_per_mtok", "output_usd_per_mtok",
    "context_tokens", "max_output_tokens", "usable", "why_not", "aliases", "region", "tags", "capabilities",
    "price_tiers", "currency", "price_source", "price_date", "limits_source", "limits_date", "retires_on", "successor",
}  # fmt: skip
GEMINI, HAIKU = "google:gemini-3.8-flash", "anthropic:claude-haiku-5-5"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "orch-home"
    folder.mkdir()
    monkeypatch.setenv("ORCH_HOME", str(folder))
    return folder


@pytest.fixture
def server() -> Iterator[FakeVendorServer]:
    with FakeVendorServer() as running:
        yield running


def keys(server: FakeVendorServer) -> dict[str, str]:
    return server.environment(("anthropic", "google"))


def test_the_list_has_every_model_and_says_why_one_cannot_be_used(server: FakeVendorServer) -> None:
    rows = {row["id"]: row for row in orch("models", "--json", environment=keys(server)).object["models"]}
    assert all(set(row) == KEYS for row in rows.values())
    assert all(row["usable"] == (not row["why_not"]) for row in rows.values())
    usable = {row["vendor"] for row in rows.values() if row["usable"]}
    assert usable == {"anthropic", "google"}
    assert rows["openai:gpt-6-luna"]["why_not"] == "no key: set OPENAI_API_KEY"
    assert rows["deepseek:deepseek-chat"]["why_not"] == "retired on 2026-07-24; use deepseek:deepseek-flash"
    assert rows["sim-north:north-pro"]["why_not"] == "simulated: only asked where no vendor has a key"
    assert "deepseek-chat" in rows["deepseek:deepseek-flash"]["aliases"]
    assert (rows[HAIKU]["region"], rows["gigachat:GigaChat-2"]["currency"]) == ("us", "RUB")
    starts = [tier["from_input_tokens"] for tier in rows[HAIKU]["price_tiers"]]
    assert starts == [0, 100_001]
    assert [tier["cache_write_usd_per_mtok"] for tier in rows[HAIKU]["price_tiers"]] == [0.125, 0.625]
    assert not server.requests


def test_the_table_starts_with_what_can_be_used(server: FakeVendorServer) -> None:
    lines = orch("models", environment=keys(server)).out.splitlines()
    assert lines[0].split() == ["model", "in", "$/M", "cached", "out", "$/M", "context", "output", "usable"]
    assert lines[1].split()[0].startswith("anthropic:")
    assert lines[1].split()[-1] == "yes"


def test_the_list_says_whose_prompts_are_cached(server: FakeVendorServer) -> None:
    def cached(**extra: str) -> set[str]:
        rows = orch("models", "--json", environment={**keys(server), **extra}).object["models"]
        return {row["id"] for row in rows if "prompt_caching" in row["capabilities"]}

    assert {GEMINI, "openai:gpt-5-mini"} <= cached()
    assert not {HAIKU, "openai:gpt-6-luna", "yandex:aliceai-llm/latest"} & cached()
    wanted = {"ANTHROPIC_PROMPT_CACHE": "on", "OPENAI_PROMPT_CACHE": "on", "OPENAI_API_KEY": "sk-1"}
    assert {HAIKU, "openai:gpt-6-luna"} <= cached(**wanted)


def test_the_users_file_changes_the_list(home: Path) -> None:
    (home / "models.yaml").write_text("models: {openai:gpt-6-luna: {prices: {input: 3, output: 4.5}}}")
    rows = {row["id"]: row for row in orch("models", "--json").object["models"]}
    assert rows["openai:gpt-6-luna"]["output_usd_per_mtok"] == 4.5
    assert rows["openai:gpt-6-luna"]["price_source"] == str(home / "models.yaml")


@pytest.mark.parametrize("command", [("models",), ("models", "check"), ("start", "-p", "p", "-c", "c")])
def test_a_wrong_file_of_the_user_is_one_line_and_code_2(command: tuple[str, ...], home: Path) -> None:
    (home / "models.yaml").write_text("models:\n  openai:gpt-4o:\n    price: 1\n")
    outcome = orch(*command)
    assert (outcome.code, outcome.out, outcome.err.count("\n")) == (2, "", 1)
    assert outcome.err.startswith(f"error: {home / 'models.yaml'}:3:5: models.openai:gpt-4o.price: unknown name")


def test_a_check_asks_every_model_of_every_vendor_once_and_says_what_it_cost(server: FakeVendorServer) -> None:
    given = server.environment(vendor for vendor in VENDORS if vendor != "ollama")
    outcome = orch("models", "check", "--json", environment=given)
    result = outcome.object
    assert (outcome.code, result["failed"]) == (0, 0)
    asked = [f"{record.request.vendor}:{record.request.model}" for record in server.requests]
    assert sorted(asked) == sorted(row["id"] for row in result["models"])
    assert len(asked) == len(set(asked)) == result["checked"]
    assert {row["id"].split(":")[0] for row in result["models"]} == set(VENDORS) - {"ollama"}
    catalog = open_catalog(load_settings())
    assert round(result["cost_usd"] * 1_000_000) == server.billed_micro(catalog.models)
    assert outcome.err.startswith(f"{len(asked)} calls, at most $0.")
    assert not [key for name, key in given.items() if name.endswith("_KEY") and key in outcome.out + outcome.err]


def test_models_of_the_local_ollama_are_found_and_free(server: FakeVendorServer) -> None:
    ollama = server.environment(("ollama",))
    rows = {row["id"]: row for row in orch("models", "--json", environment=ollama).object["models"]}
    installed = [row for row in rows.values() if row["vendor"] == "ollama" and row["usable"]]
    assert installed
    assert all(row["output_usd_per_mtok"] == 0 and row["region"] == "local" for row in installed)
    assert rows["ollama:gemma3:12b"]["why_not"] == "not installed on this machine; run 'ollama pull gemma3:12b'"
    outcome = orch("models", "check", environment=ollama)
    assert outcome.code == 0
    assert outcome.out.splitlines()[-1] == f"{len(installed)} of {len(installed)} answered, for $0.000000."


def test_a_check_of_some_names(server: FakeVendorServer) -> None:
    outcome = orch("models", "check", "gemini-flash", "claude-3-haiku", GEMINI, environment=keys(server))
    assert outcome.code == 0
    assert [line.split()[:2] for line in outcome.out.splitlines()[:2]] == [["ok", GEMINI], ["ok", HAIKU]]
    assert outcome.out.splitlines()[-1].startswith("2 of 2 answered, for $0.0000")
    assert len(server.requests) == 2
    assert all(record.request.max_tokens == 512 for record in server.requests), "room for thoughts, and no more"


def test_what_does_not_answer_is_named_and_the_others_are_asked_all_the_same(server: FakeVendorServer) -> None:
    refused = Reply(status=401, error_type="authentication_error", error_message="key sk-secret is bad")
    server.script = from_rules(
        [Rule(vendor="anthropic", reply=refused), Rule(model="gemini-4-argon", reply=Reply(text="x", fault=Fault.CUT))]
    )
    outcome = orch("models", "check", "--json", HAIKU, GEMINI, "gemini-4-argon", environment=keys(server))
    rows = {row["id"]: row for row in outcome.object["models"]}
    assert (outcome.code, outcome.object["failed"]) == (1, 2)
    assert rows[GEMINI]["ok"]
    assert rows[HAIKU]["detail"].startswith("auth: anthropic: HTTP 401")
    assert rows[HAIKU]["cost_usd"] == 0
    assert rows["google:gemini-4-argon"]["cost_usd"] > 0, "what was cut may have been billed"
    assert "sk-secret" not in outcome.out + outcome.err


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("gpt-6-lunar", "unknown model 'gpt-6-lunar'; did you mean 'openai:gpt-6-luna'?"),
        ("gpt-6-luna", "openai:gpt-6-luna cannot be asked: no key: set OPENAI_API_KEY"),
    ],
)
def test_a_name_that_cannot_be_asked_is_bad_input(name: str, says: str, server: FakeVendorServer) -> None:
    outcome = orch("models", "check", name, environment=keys(server))
    assert (outcome.code, outcome.out) == (2, "")
    assert says in outcome.err
    assert not server.requests


def test_without_keys_there_is_nothing_to_check() -> None:
    outcome = orch("models", "check", "--json", environment={"OLLAMA_HOST": "127.0.0.1:1"})
    assert (outcome.code, outcome.object) == (0, {"checked": 0, "failed": 0, "cost_usd": 0.0, "models": []})
    assert "nothing to check" in outcome.err


def test_a_model_of_a_declared_vendor_without_a_price_is_checked_too(server: FakeVendorServer, home: Path) -> None:
    (home / "vendors.yaml").write_text(f"vendors: {{corp: {{base_url: '{server.url}/deepseek/v1', key: CORP_KEY}}}}")
    (home / "models.yaml").write_text("models: {corp:m1: {context_tokens: 9000, max_output_tokens: 900}}")
    outcome = orch("models", "check", environment={"CORP_KEY": "k" * 20})
    assert outcome.code == 0
    assert "1 call, at most $0.000000 together, and 1 whose price is not known." in outcome.err
    assert outcome.out.split()[:2] == ["ok", "corp:m1"]
    assert [record.request.model for record in server.requests] == ["m1"]


@pytest.mark.parametrize(("flags", "answer", "code"), [((), "n\n", 1), ((), "y\n", 0), (("--yes",), "", 0)])
def test_on_a_terminal_somebody_is_asked_before_money_is_spent(
    flags: tuple[str, ...], answer: str, code: int, server: FakeVendorServer
) -> None:
    ours, theirs = pty.openpty()
    try:
        os.write(ours, answer.encode())
        done = subprocess.run(
            [*COMMAND, "models", "check", *flags, GEMINI],
            stdin=theirs,
            capture_output=True,
            text=True,
            timeout=60,
            env={**os.environ, **keys(server)},
            check=False,
        )
    finally:
        os.close(ours)
        os.close(theirs)
    assert done.returncode == code
    assert ("Go on?" in done.stderr) == (not flags)
    assert len(server.requests) == (1 if code == 0 else 0)


def test_a_password_manager_is_asked_once_for_each_key(server: FakeVendorServer, tmp_path: Path) -> None:
    asked, command = tmp_path / "asked", tmp_path / "keys.sh"
    command.write_text(f"#!/bin/sh\necho $1 >> {asked}\n[ $1 = GOOGLE_API_KEY ] && echo key-from-the-manager\n")
    command.chmod(0o700)
    environment = {"ORCH_KEY_COMMAND": str(command), "GOOGLE_BASE_URL": server.base_url("google")}
    outcome = orch("models", "check", GEMINI, environment=environment)
    assert outcome.code == 0
    names = asked.read_text().split()
    assert "GOOGLE_API_KEY" in names
    assert len(names) == len(set(names))
    assert "key-from-the-manager" not in outcome.out + outcome.err


def test_a_configured_cluster_has_keys_of_its_own(server: FakeVendorServer) -> None:
    outcome = orch("models", "check", GEMINI, environment={**keys(server), "TEMPORAL_ADDRESS": "127.0.0.1:1"})
    assert outcome.code == 0
    assert outcome.err.startswith("The keys of this machine are checked. Workers elsewhere have their own")
