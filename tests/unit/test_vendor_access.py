"""Which vendors can be used in an environment: keys, options, key commands, declared endpoints."""

import stat
from pathlib import Path

import pytest

from orchestrator.domain.errors import UserInputError
from orchestrator.settings import Settings, VendorSettings, load_settings
from orchestrator.settings.vendors import VENDORS

NOWHERE = {"OLLAMA_HOST": "127.0.0.1:9"}


def settings(folder: Path, **variables: str) -> Settings:
    return load_settings({"HOME": str(folder), **NOWHERE, **variables}, folder=folder)


def command(folder: Path, body: str) -> str:
    """A command that notes each name that it is asked for in `asked`."""
    script = folder / "key of mine.sh"
    script.write_text(f'#!/bin/sh\necho "$1" >> "{folder}/asked"\n{body}\n')
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    return f"'{script}'"


def asked(folder: Path) -> list[str]:
    file = folder / "asked"
    return sorted(file.read_text().split()) if file.exists() else []


def declared(folder: Path, text: str) -> Settings:
    (folder / "vendors.yaml").write_text(text)
    return settings(folder, ORCH_HOME=str(folder), GROQ_API_KEY="gsk-key-of-groq-1234")


def test_without_keys_every_vendor_says_what_it_needs(tmp_path: Path) -> None:
    found = settings(tmp_path)
    assert found.vendors == {}
    assert set(found.unusable) == set(VENDORS)
    assert found.unusable["google"] == "no key: set GOOGLE_API_KEY or GEMINI_API_KEY"


def test_the_first_key_that_is_set_wins(tmp_path: Path) -> None:
    found = settings(tmp_path, GEMINI_API_KEY=" g2 ", GOOGLE_API_KEY="g1", MOONSHOT_API_KEY="m")
    assert found.vendors["google"].api_key.get_secret_value() == "g1"
    assert (found.vendors["kimi"].key_name, found.vendors["kimi"].base_url) == (
        "MOONSHOT_API_KEY",
        "https://api.moonshot.ai/v1",
    )


def test_yandex_needs_its_folder(tmp_path: Path) -> None:
    assert settings(tmp_path, YANDEX_API_KEY="y").unusable["yandex"] == "set YANDEX_FOLDER_ID too"
    found = settings(tmp_path, YANDEX_IAM_TOKEN="t1.x", YANDEX_FOLDER_ID="b1g").vendors["yandex"]
    assert (found.key_name, found.options) == ("YANDEX_IAM_TOKEN", {"folder_id": "b1g"})


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("GIGACHAT_AUTH_SCHEME", "Digest", "expected Basic or Bearer"),
        ("GIGACHAT_VERIFY_SSL", "maybe", "expected true or false"),
        ("GIGACHAT_CA_BUNDLE", "/no/such.pem", "no such file"),
    ],
)
def test_a_wrong_option_is_named(tmp_path: Path, name: str, value: str, expected: str) -> None:
    with pytest.raises(UserInputError, match=f"{name}=.*{expected}"):
        _ = settings(tmp_path, **{"GIGACHAT_API_KEY": "g", name: value}).vendors


@pytest.mark.parametrize(
    ("value", "checked"), [("", True), ("true", True), ("0", False), ("False", False), ("off", False)]
)
def test_certificates_are_checked_unless_switched_off(tmp_path: Path, value: str, checked: bool) -> None:
    assert settings(tmp_path, XAI_API_KEY="x", XAI_VERIFY_SSL=value).vendors["xai"].verify_ssl is checked


def test_settings_of_a_vendor_fill_in_what_is_known_of_it() -> None:
    found = VendorSettings(vendor="gigachat")  # type: ignore[call-arg]  # the definition is filled in
    assert found.definition is VENDORS["gigachat"]
    assert found.options["scope"] == "GIGACHAT_API_PERS"
    with pytest.raises(UserInputError, match="unknown vendor 'nobody'"):
        VendorSettings(vendor="nobody")  # type: ignore[call-arg]


def test_a_key_command_runs_when_vendors_are_asked_for_and_once(tmp_path: Path) -> None:
    line = command(tmp_path, 'test "$1" = XAI_API_KEY && echo "  key-of-xai  "')
    found = settings(tmp_path, ORCH_KEY_COMMAND=line, OPENAI_API_KEY="from the environment")
    assert asked(tmp_path) == []
    assert set(found.vendors) == {"xai", "openai"}
    assert found.vendors["xai"].api_key.get_secret_value() == "key-of-xai"
    every_key = {name for definition in VENDORS.values() for name in definition.key_names}
    assert asked(tmp_path) == sorted(every_key - {"OPENAI_API_KEY"})
    assert len(found.unusable) == len(VENDORS) - 2
    assert asked(tmp_path) == sorted(every_key - {"OPENAI_API_KEY"})


def test_files_are_found_from_another_folder_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker gets the same environment and runs somewhere else."""
    here, there = tmp_path / "a folder", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    script = here / "key.sh"
    script.write_text('#!/bin/sh\necho "$1-of-$2"\n')
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    (here / "ca.pem").write_text("")
    (here / "v.yaml").write_text("vendors: {team: {base_url: 'https://llm.example/v1'}}\n")
    (here / ".env").write_text(
        "ORCH_KEY_COMMAND=./key.sh the-key\nORCH_KEY_VENDORS=xai\nXAI_CA_BUNDLE=ca.pem\nORCH_VENDORS_FILE=v.yaml\n"
    )
    monkeypatch.chdir(there)
    client = load_settings({"HOME": str(tmp_path), **NOWHERE}, folder=here)
    worker = load_settings(client.environment, folder=there)
    assert worker.vendors.keys() == {"xai", "team"}
    assert worker.vendors["xai"].api_key.get_secret_value() == "the-key-of-XAI_API_KEY"
    assert worker.vendors["xai"].ca_bundle == here / "ca.pem"


def test_a_key_command_is_asked_for_the_vendors_that_are_named(tmp_path: Path) -> None:
    line = command(tmp_path, 'echo "key-of-$1"')
    found = settings(tmp_path, ORCH_KEY_COMMAND=line, ORCH_KEY_VENDORS="xai, kimi")
    assert found.vendors["kimi"].api_key.get_secret_value() == "key-of-KIMI_API_KEY"
    assert asked(tmp_path) == ["KIMI_API_KEY", "MOONSHOT_API_KEY", "XAI_API_KEY"]
    with pytest.raises(UserInputError, match="ORCH_KEY_VENDORS: unknown vendor 'opnai'"):
        _ = settings(tmp_path, ORCH_KEY_COMMAND=line, ORCH_KEY_VENDORS="opnai").vendors


@pytest.mark.parametrize(
    "body", ["exit 0", "echo secret-words; exit 1", "echo two; echo words", "printf 'k\\303\\244'"]
)
def test_what_is_no_key_gives_none_and_is_shown_nowhere(
    tmp_path: Path, body: str, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(0)
    line = command(tmp_path, f"echo noise >&2; {body}")
    found = settings(tmp_path, ORCH_KEY_COMMAND=line, ORCH_KEY_VENDORS="xai")
    assert found.vendors == {}
    assert (capfd.readouterr(), caplog.text) == (("", ""), "")
    assert "secret-words" not in repr(found)


def test_a_key_from_a_command_is_in_no_repr(tmp_path: Path) -> None:
    line = command(tmp_path, "echo key-from-the-command")
    found = settings(tmp_path, ORCH_KEY_COMMAND=line, ORCH_KEY_VENDORS="xai")
    assert "key-from-the-command" not in repr(found) + repr(found.vendors) + found.model_dump_json()
    assert found.vendors["xai"].api_key.get_secret_value() == "key-from-the-command"


@pytest.mark.parametrize(("line", "words"), [("/no/such/command", "cannot be run"), ("'open", "quotes")])
def test_a_key_command_that_cannot_run_is_an_error(tmp_path: Path, line: str, words: str) -> None:
    with pytest.raises(UserInputError, match=f"ORCH_KEY_COMMAND: .*{words}"):
        _ = settings(tmp_path, ORCH_KEY_COMMAND=line).vendors


def test_a_declared_endpoint_is_a_vendor(tmp_path: Path) -> None:
    found = declared(
        tmp_path,
        """\
vendors:
  groq:
    base_url: https://api.groq.com/openai/v1/
    key: GROQ_API_KEY
    capabilities: {structured_output: schema, max_tokens: max_completion_tokens}
  my-server:
    base_url: http://10.0.0.5:8000/v1
    capabilities:
      temperature_max: 1
      extra_body: [{models: "qwen.*", body: {top_k: 40, chat_template_kwargs: {enable_thinking: false}}}]
  paid:
    base_url: https://paid.example/v1
    key: PAID_KEY
""",
    )
    groq = found.vendors["groq"]
    assert groq.api_key.get_secret_value() == "gsk-key-of-groq-1234"
    assert (groq.base_url, groq.definition.family) == ("https://api.groq.com/openai/v1", "openai_compatible")
    assert groq.definition.capabilities.max_tokens == "max_completion_tokens"
    assert (found.vendors["my-server"].api_key.get_secret_value(), found.unusable["paid"]) == (
        "",
        "no key: set PAID_KEY",
    )
    own = found.vendors["my-server"].definition.capabilities
    assert own.body_for("qwen3") == {"top_k": 40, "chat_template_kwargs": {"enable_thinking": False}}
    assert own.body_for("other") == {}
    assert set(found.definitions) == {*VENDORS, "groq", "my-server", "paid"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("vendors:\n  a:\n    key: A_KEY\n", "2:3: vendors.a.base_url: is missing"),
        ("vendors:\n  a:\n    base_url: ftp://x\n", "3:15: vendors.a.base_url: give an address such as"),
        ("vendors:\n  a:\n    base_url: https://u:p@x/v1\n", "3:15: vendors.a.base_url: must have no credentials"),
        ("vendors:\n  a:\n    base_url: https://x\n\n    key: sk-abc\n", "5:10: vendors.a.key: give the name of an"),
        (
            "vendors:\n  a:\n    base_url: https://x\n    capabilites: {}\n",
            "4:5: vendors.a.capabilites: unknown name; did you mean 'capabilities'?",
        ),
        (
            "vendors:\n  a:\n    base_url: https://x\n    capabilities:\n      stop: yes\n      thinking: loud\n",
            "6:17: vendors.a.capabilities.thinking: unknown value 'loud'; known names: apart, inline",
        ),
        (
            "vendors:\n  openai:\n    base_url: https://x\n",
            "2:3: vendors.openai: is built in; move it with OPENAI",
        ),
        ("vendors:\n  A b:\n    base_url: https://x\n", "2:3: vendors.A b: is no name of a vendor"),
        ("vendors: [\n", "2:1: is not YAML"),
        ("- a\n", "1:1: must be a list of 'name: value' lines"),
    ],
)
def test_an_error_in_the_file_names_file_line_and_field(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UserInputError) as caught:
        _ = declared(tmp_path, text).definitions
    assert str(caught.value).startswith(f"{tmp_path}/vendors.yaml:{message}")
    assert "sk-abc" not in str(caught.value)


def test_another_file_can_be_named(tmp_path: Path) -> None:
    file = tmp_path / "team.yaml"
    file.write_text("vendors: {team: {base_url: 'https://llm.example/v1'}}\n")
    assert "team" in settings(tmp_path, ORCH_VENDORS_FILE=str(file)).vendors
    with pytest.raises(UserInputError, match="cannot be read"):
        _ = settings(tmp_path, ORCH_VENDORS_FILE=str(tmp_path / "gone.yaml")).vendors
