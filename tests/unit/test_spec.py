"""Values of the user become the frozen input of a run."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.client.spec import (
    ProjectRequest,
    build_spec,
    new_project_id,
    parse_budget,
    parse_concurrency,
    parse_text,
    parse_time_limit,
)
from orchestrator.domain.model import ModelSpec
from orchestrator.domain.tasks import TaskType


@pytest.mark.parametrize(
    ("raw", "micro"),
    [("2", 2_000_000), ("2.0", 2_000_000), ("0.000001", 1), ("1e-3", 1_000), ("0.0199999999", 19_999)],
)
def test_a_budget_is_micro_usd_and_never_grows(raw: str, micro: int) -> None:
    assert parse_budget(raw) == micro


@pytest.mark.parametrize("raw", ["", "0", "-1", "nan", "inf", "1e99", "1000001", "$2", "2,0", "0.0000009", "x" * 9999])
def test_what_is_no_budget_is_refused(raw: str) -> None:
    with pytest.raises(ValueError, match=r"^must be") as caught:
        parse_budget(raw)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    ("raw", "seconds"),
    [("5400", 5400), ("90m", 5400), ("1h30m", 5400), ("45s", 45), ("2d", 172_800), ("1.5H", 5400)],
)
def test_durations(raw: str, seconds: float) -> None:
    assert parse_time_limit(raw) == seconds


@pytest.mark.parametrize("raw", ["", "0", "0.5", "-5", "m", "90 minutes", "30m1h", "1:30:00", "366d", "inf", "1e3"])
def test_what_is_no_duration_is_refused(raw: str) -> None:
    with pytest.raises(ValueError, match=r"^must be"):
        parse_time_limit(raw)


@pytest.mark.parametrize("raw", ["0", "65", "-1", "1.0", "", "eight", "٣"])
def test_what_is_no_concurrency_is_refused(raw: str) -> None:
    with pytest.raises(ValueError, match="whole number from 1 to 64"):
        parse_concurrency(raw)


def test_texts_are_bounded_in_bytes() -> None:
    assert parse_text(" x ") == "x"
    assert len(parse_text("é" * 50_000)) == 50_000
    with pytest.raises(ValueError, match="100002 bytes"):
        parse_text("é" * 50_001)
    with pytest.raises(ValueError, match="not valid UTF-8"):
        parse_text("\udcff")


@given(st.text(min_size=1))
def test_a_project_id_is_fit_for_a_url_and_a_folder(text: str) -> None:
    project_id = new_project_id(text, readable=True)
    assert set(project_id) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
    assert 8 <= len(project_id) <= 40
    assert not project_id.startswith("-")


def test_a_project_id_can_be_read_and_is_not_given_twice() -> None:
    first, second = (
        new_project_id("Implement a Python rate limiter using decorators", readable=True) for _ in range(2)
    )
    assert first.startswith("implement-python-rate-limiter-")
    assert first != second


def test_a_project_id_of_a_sealed_project_tells_nothing() -> None:
    first, second = (new_project_id("Implement a Python rate limiter", readable=False) for _ in range(2))
    assert re.fullmatch("project-[0-9a-f]{16}", first)
    assert first != second


@pytest.mark.parametrize(("embedded", "heartbeat_s"), [(True, 3.0), (False, 30.0)])
def test_the_spec_holds_the_request_and_the_catalog(embedded: bool, heartbeat_s: float) -> None:
    model = ModelSpec(id="v:m", vendor="v", model="m", context_tokens=1000, max_output_tokens=100)
    spec = build_spec(
        ProjectRequest(project="p", criteria="c", max_micro=7, time_limit_s=60, concurrency=3),
        project_id="p-1",
        models=[model],
        routing={TaskType.CODE_REVIEW: ["v:m"]},
        simulated_routing={},
        embedded=embedded,
    )
    assert (spec.project_id, spec.max_micro, spec.time_limit_s, spec.concurrency) == ("p-1", 7, 60, 3)
    assert spec.models == (model,)
    assert spec.routing == {TaskType.CODE_REVIEW: ("v:m",)}
    assert spec.timeouts.heartbeat_s == heartbeat_s
