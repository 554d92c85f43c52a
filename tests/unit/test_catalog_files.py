"""The user's files of models, and what is said about a wrong one."""

from pathlib import Path

import pytest

from orchestrator.catalog import Catalog, CatalogEntry, open_catalog
from orchestrator.catalog.data import Prices, RateStep
from orchestrator.catalog.overrides import ModelOverride
from orchestrator.domain.errors import UserInputError
from orchestrator.domain.model import ModelSpec
from orchestrator.settings import load_settings
from orchestrator.settings.yaml_source import parse_document

GATEWAY = "context_tokens: 131072, max_output_tokens: 8192"
STEP = "{from_input_tokens: 9, input: 1, output: 1}"


def opened(folder: Path, text: str, **environment: str) -> Catalog:
    (folder / "models.yaml").write_text(text, encoding="utf-8")
    return open_catalog(load_settings({"HOME": str(folder), "ORCH_HOME": str(folder), **environment}, folder=folder))


def entry_of(catalog: Catalog, model_id: str) -> CatalogEntry:
    return next(entry for entry in catalog.entries if entry.spec.id == model_id)


def spec_of(catalog: Catalog, model_id: str) -> ModelSpec:
    return next(spec for spec in catalog.models if spec.id == model_id)


def test_prices_and_limits_of_a_known_model_are_replaced(tmp_path: Path) -> None:
    plain = spec_of(opened(tmp_path, ""), "openai:gpt-6-luna")
    catalog = opened(
        tmp_path,
        """
        models:
          openai:gpt-6-luna:
            prices:
              input: 0.1000005
              cached_input: 0.01
              output: 7
              tiers: [{from_input_tokens: 9, input: 1, output: 8}]
            max_output_tokens: 64_000
        """,
    )
    changed = spec_of(catalog, "openai:gpt-6-luna")
    assert [(tier.from_input_tokens, tier.input_micro, tier.output_micro) for tier in changed.prices] == [
        (0, 100_001, 7_000_000),
        (9, 1_000_000, 8_000_000),
    ]
    assert changed.max_output_tokens == 64_000
    assert changed.model_copy(update={"prices": plain.prices, "max_output_tokens": plain.max_output_tokens}) == plain
    assert entry_of(catalog, "openai:gpt-6-luna").price_source == str(tmp_path / "models.yaml")


def test_a_model_of_a_vendor_of_the_users_own_is_added(tmp_path: Path) -> None:
    catalog = opened(
        tmp_path,
        f"models: {{my-gateway:llama-70b: {{{GATEWAY}, aliases: [llama],"
        " prices: {currency: RUB, input: 40, output: 40}}}",
        ORCH_RUB_PER_USD="80",
    )
    added = catalog.resolve("llama")
    assert (added.id, added.vendor, added.model) == ("my-gateway:llama-70b", "my-gateway", "llama-70b")
    assert added.prices[0].input_micro == 500_000


def test_case_does_not_count_in_ids(tmp_path: Path) -> None:
    catalog = opened(tmp_path, "models: {gigachat:gigachat-2-max: {quality: 0.9}}")
    assert spec_of(catalog, "gigachat:GigaChat-2-Max").quality == 0.9
    assert len([entry for entry in catalog.entries if entry.spec.vendor == "gigachat"]) == 3


def test_a_model_without_a_price_has_none(tmp_path: Path) -> None:
    assert opened(tmp_path, f"models: {{my-gateway:m: {{{GATEWAY}}}}}").resolve("my-gateway:m").prices == ()


def test_a_local_model_is_local_like_its_siblings(tmp_path: Path) -> None:
    catalog = opened(tmp_path, f"models: {{ollama:mine:7b: {{{GATEWAY}, prices: {{input: 0, output: 0}}}}}}")
    assert catalog.resolve("mine:7b").region == "local"
    assert catalog.resolve("mine:7b").prices[0].output_micro == 0


def test_a_model_can_be_retired_by_the_user(tmp_path: Path) -> None:
    catalog = opened(tmp_path, "models: {openai:gpt-4o: {retires_on: 2026-01-01}}")
    assert catalog.resolve("gpt-4o").id == "openai:gpt-6-luna"


def test_a_retired_model_without_successor_says_so(tmp_path: Path) -> None:
    catalog = opened(tmp_path, "models: {xai:grok-4.3: {retires_on: 2026-01-01}}")
    with pytest.raises(UserInputError, match=r"xai:grok-4.3: retired on 2026-01-01; 'orch-cli models' lists"):
        catalog.resolve("grok-4.3")


def test_a_second_file_wins_and_must_exist(tmp_path: Path) -> None:
    second = tmp_path / "team.yaml"
    second.write_text("models: {openai:gpt-4o: {prices: {input: 2, output: 2}}}", encoding="utf-8")
    first = "models: {openai:gpt-4o: {prices: {input: 1, output: 1}, quality: 0.1}}"
    catalog = opened(tmp_path, first, ORCH_MODELS_FILE=str(second))
    assert (catalog.resolve("gpt-4o").prices[0].input_micro, catalog.resolve("gpt-4o").quality) == (2_000_000, 0.1)
    second.unlink()
    with pytest.raises(UserInputError, match=r"team.yaml: cannot be read: No such file"):
        opened(tmp_path, first, ORCH_MODELS_FILE=str(second))


WRONG = {
    "unknown field": (
        "models:\n  openai:gpt-4o:\n    price: 1\n",
        "3:5: models.openai:gpt-4o.price: unknown name; did you mean 'prices'?",
    ),
    "at the top": ("vendors: {}\n", "1:1: vendors: unknown name; known names: models (docs/models.md"),
    "negative": (
        "models:\n  openai:gpt-4o:\n    prices: {input: -1, output: 2}\n",
        "3:21: models.openai:gpt-4o.prices.input: input should be greater than or equal to 0; got '-1'",
    ),
    "not a number": (
        "models:\n  openai:gpt-4o:\n    prices: {input: cheap, output: 2}\n",
        "3:21: models.openai:gpt-4o.prices.input: must be a number; got 'cheap'",
    ),
    "nan": ("models: {openai:gpt-4o: {prices: {input: .nan, output: 2}}}", "prices.input: must be a number; got"),
    "half a price": (
        "models:\n  openai:gpt-4o:\n    prices: {input: 1}\n",
        "3:5: models.openai:gpt-4o.prices.output: is missing; add it",
    ),
    "currency": (
        "models: {openai:gpt-4o: {prices: {currency: EUR, input: 1, output: 1}}}",
        "unknown value 'EUR'; known names: USD, RUB",
    ),
    "tiers": (
        f"models: {{openai:gpt-4o: {{prices: {{input: 1, output: 1, tiers: [{STEP}, {STEP}]}}}}}}",
        "tiers must be in rising order of from_input_tokens",
    ),
    "no vendor": ("models:\n  gpt-4o: {quality: 1}\n", "2:3: models.gpt-4o: string should match pattern"),
    "new without limits": (
        "models:\n  openai:new:\n    context_tokens: 1000\n",
        "2:3: models.openai:new.max_output_tokens: is missing; a model that is not in the catalog needs both limits",
    ),
    "more out than in": (
        "models:\n  openai:gpt-4o:\n    max_output_tokens: 999999\n",
        "3:24: models.openai:gpt-4o.max_output_tokens: the output limit is above the context window",
    ),
    "taken name": (
        "models:\n  openai:gpt-4o:\n    aliases: [grok-4.7]\n",
        "3:14: models.openai:gpt-4o.aliases: 'grok-4.7' already means xai:grok-4.7; choose another name",
    ),
    "twice": ("models:\n  openai:gpt-4o: {}\n  openai:gpt-4o: {}\n", "3:3: models.openai:gpt-4o: is given twice"),
    "no mapping": ("- a\n", "models.yaml:1:1: must be a list of 'name: value' lines"),
    "not yaml": ("models: {\n", ":2:1: is not YAML:"),
    "anchor": ("models: {a:b: &x {quality: 1}, c:d: *x}", "is a repeated anchor; write the values out"),
    "tag": ("models: !!python/object:os.system {}", ":1:9: models: has a YAML tag; remove it"),
    "control": ("models: {\x07: 1}", "is not YAML"),
    "escape": ('models: {"a:\\e[31m": {}}', "models.a:?[31m: string should match pattern"),
    "deep": ("[" * 5_000, "nested too deeply"),
}


@pytest.mark.parametrize(("text", "says"), WRONG.values(), ids=WRONG)
def test_a_wrong_file_gets_one_line_with_place_field_and_fix(text: str, says: str, tmp_path: Path) -> None:
    with pytest.raises(UserInputError) as caught:
        opened(tmp_path, text)
    message = str(caught.value)
    assert says in message
    assert message.startswith(f"{tmp_path / 'models.yaml'}:")
    assert "\n" not in message


def test_a_file_that_is_not_text_or_too_large_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserInputError, match="f:1:1: is not UTF-8 text"):
        parse_document(b"\xff\xfe\x00", "f")
    with pytest.raises(UserInputError, match="f: larger than 1000000 bytes"):
        parse_document(b"#" * 1_000_001, "f")


def test_the_document_names_every_field() -> None:
    text = (Path(__file__).parents[2] / "docs/models.md").read_text(encoding="utf-8")
    fields = {*ModelOverride.model_fields, *Prices.model_fields, *RateStep.model_fields}
    assert not {field for field in fields if f"`{field}`" not in text}


def test_the_example_of_the_document_is_read(tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "docs/models.md").read_text(encoding="utf-8")
    catalog = opened(tmp_path, text.split("```yaml\n")[1].split("```")[0])
    assert catalog.resolve("llama").prices[1].input_micro == 800_000
    assert catalog.resolve("my-tune:13b").prices[0].input_micro == 0
