"""Which earlier projects look like a new one."""

from orchestrator.client.reading import ProjectRow
from orchestrator.client.similar import MAX_KEYWORDS_CHARS, Similar, fingerprint, keywords, similar_to

PROJECT = "Build a command line tool that converts Celsius to Fahrenheit"
CRITERIA = "All conversions are tested"
NEAR = ("Write a command line tool that converts Celsius and Kelvin", "All conversions are tested")
FAR = ("A chess engine with opening books", "It beats beginners")


def row(
    name: str, texts: tuple[str, str], status: str = "TIMEOUT", started_s: float = 0.0, **more: float
) -> ProjectRow:
    """A project of an earlier run; closed unless `closed_s` is 0."""
    closed_s = more.get("closed_s", 1.0)
    return ProjectRow(
        project_id=name,
        status=status,
        started_s=started_s,
        closed_s=closed_s or None,
        project=texts[0],
        spent_usd=0.0,
        tasks_done=0,
        tasks_total=0,
        fingerprint=fingerprint(*texts),
        keywords=keywords(*texts),
    )


def found(*rows: ProjectRow) -> list[Similar]:
    return similar_to(PROJECT, CRITERIA, rows)


def test_white_space_is_no_difference_and_everything_else_is() -> None:
    same = fingerprint(PROJECT, CRITERIA)
    assert fingerprint(f"  {PROJECT.replace(' ', chr(10))}\n", CRITERIA) == same
    others = [(PROJECT + ".", CRITERIA), (PROJECT, ""), (CRITERIA, PROJECT), (f"{PROJECT} {CRITERIA}", "")]
    assert len({same, *(fingerprint(*texts) for texts in others)}) == 5


def test_keywords_are_the_words_that_matter_of_both_texts() -> None:
    assert keywords("Build the API, the api!", "Use of Größe") == "api größe"
    assert keywords("", "") == ""
    many = keywords(" ".join(f"größe{number}" for number in range(2_000)), "")
    assert MAX_KEYWORDS_CHARS - 20 < len(many.encode()) <= MAX_KEYWORDS_CHARS


def test_the_same_text_comes_first_then_the_larger_overlap() -> None:
    rows = [row("far", FAR), row("near", NEAR), row("same", (PROJECT, CRITERIA))]
    one, two = found(*rows)
    assert (one.project_id, one.same, one.overlap) == ("same", True, 1.0)
    assert (two.project_id, two.same) == ("near", False)
    assert 0.5 <= two.overlap < 1.0


def test_the_criteria_count_as_well() -> None:
    assert not found(row("other", (PROJECT, " ".join(f"criterion{number}" for number in range(30)))))


def test_age_decides_between_equals_only() -> None:
    rows = [row("old", NEAR, started_s=1.0), row("new", NEAR, started_s=9.0), row("newest", FAR, started_s=99.0)]
    assert [one.project_id for one in found(*rows)] == ["new", "old"]
    older = row("same", (PROJECT, CRITERIA), started_s=0.0)
    assert found(*rows, older)[0].project_id == "same"


def test_only_what_runs_or_can_be_resumed_is_named() -> None:
    texts = (PROJECT, CRITERIA)
    ended = [row(status, texts, status) for status in ("SUCCESS", "COMPLETED_DEGRADED", "COMPLETED")]
    assert not found(*ended)
    resumable = ["BUDGET_EXHAUSTED", "TIMEOUT", "CANCELLED", "PARTIAL_SUCCESS", "SYSTEM_FAILURE"]
    assert {one.status for one in found(*(row(status, texts, status) for status in resumable))} == set(resumable)
    (running,) = found(row("running", texts, "RUNNING", closed_s=0.0))
    assert running.running


def test_projects_without_words_are_not_like_each_other() -> None:
    wordless = row("wordless", ("?", "!"))
    assert similar_to("-", "-", [wordless]) == []
    assert [one.same for one in similar_to("?", "!", [wordless])] == [True]


def test_five_at_most() -> None:
    assert len(found(*(row(f"p{number}", NEAR) for number in range(9)))) == 5


def test_an_attempt_that_was_given_up_before_a_success_is_history() -> None:
    texts = (PROJECT, CRITERIA)
    older, done, newer = row("a", texts, started_s=1), row("b", texts, "SUCCESS", 2), row("c", texts, started_s=3)
    assert [one.project_id for one in found(older, done)] == []
    assert [one.project_id for one in found(older, done, newer)] == ["c"]
