"""Files are found in answers however models name them, and nothing is taken that was not asked for."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.domain.answer_files import parse_files
from orchestrator.domain.answer_text import AnswerError, scan

CORE = "pkg/core.py"
TESTS = "tests/test_core.py"


@pytest.mark.parametrize(
    "answer",
    [
        "```python path=pkg/core.py\nx = 1\n```",
        "Here it is:\n\n```python title=\"pkg/core.py\"\nx = 1\n```\nDone.",
        "```python filename='pkg/core.py'\nx = 1\n```",
        "```py {file=pkg/core.py}\nx = 1\n```",
        "```python:pkg/core.py\nx = 1\n```",
        "```pkg/core.py\nx = 1\n```",
        "```python pkg/core.py\nx = 1\n```",
        "### pkg/core.py\n\n```python\nx = 1\n```",
        "**pkg/core.py**\n```python\nx = 1\n```",
        "**File: `pkg/core.py`**\n```python\nx = 1\n```",
        "1. `pkg/core.py`:\n```python\nx = 1\n```",
        "This is the file `pkg/core.py` that you asked for:\n```python\nx = 1\n```",
        "```python\n# pkg/core.py\nx = 1\n```",
        "```python\n// file: pkg/core.py\nx = 1\n```",
        "```\n<!-- pkg/core.py -->\nx = 1\n```",
        "~~~python path=pkg/core.py\nx = 1\n~~~",
        "````python path=pkg/core.py\nx = 1\n````",
        "- item\n\n  ```python path=pkg/core.py\n  x = 1\n  ```",
        "```python\r\n# pkg/core.py\r\nx = 1\r\n```\r\n",
        "\ufeff```python path=./pkg//core.py\nx = 1\n```",
        "```python\nx = 1\n```",
        "```python path=core.py\nx = 1\n```",
        "```python path=project/pkg/core.py\nx = 1\n```",
        "Install:\n```bash\npip install x\n```\nCode:\n```python\nx = 1\n```",
        "<think>\n```python path=pkg/core.py\nwrong\n```\n</think>\n```python path=pkg/core.py\nx = 1\n```",
        "thoughts\n```python\nwrong\n```\n</think>\n```python path=pkg/core.py\nx = 1\n```",
        "<reasoning>short</reasoning>\n```python path=pkg/core.py\nx = 1\n```",
    ],
)  # fmt: skip
def test_one_file_is_found(answer: str) -> None:
    assert parse_files(answer, (CORE,)).files == {CORE: "x = 1\n"}


def test_several_files_come_in_the_order_of_the_task() -> None:
    answer = "```python path=tests/test_core.py\nb\n```\n\n## `pkg/core.py`\n```python\na\n```"
    assert list(parse_files(answer, (CORE, TESTS)).files.items()) == [(CORE, "a\n"), (TESTS, "b\n")]


def test_an_empty_file_is_a_file() -> None:
    assert parse_files("```python path=pkg/__init__.py\n```", ("pkg/__init__.py",)).files == {"pkg/__init__.py": ""}


@pytest.mark.parametrize(
    "content",
    [
        "# T\n\n```bash\nrun\n```\n\n```python\nx\n```\nend\n",
        "# T\n\n```\nrun\n```\nend\n",
        "# T\n```\na\n```\n```python\nb\n```\n```\nc\n```\nend\n",
        "# T\n\n~~~\nrun\n~~~\n",
    ],
)
@pytest.mark.parametrize("mark", ["```", "````", "~~~~~"])
def test_fences_inside_a_markdown_file_belong_to_it(content: str, mark: str) -> None:
    answer = f"{mark}markdown path=README.md\n{content}{mark}\n\n```python path=a.py\nx\n```"
    assert parse_files(answer, ("README.md", "a.py")).files == {"README.md": content, "a.py": "x\n"}


def test_commands_after_a_markdown_file_are_not_part_of_it() -> None:
    answer = "```markdown path=README.md\n# T\n```\nRun it:\n```bash\nmake\n```"
    assert parse_files(answer, ("README.md",)).files == {"README.md": "# T\n"}


def test_a_fence_in_a_docstring_is_content() -> None:
    content = 'def f():\n    """\n    ```\n    f()\n    ```\n    """\n'
    assert parse_files(f"```python path={CORE}\n{content}```", (CORE,)).files == {CORE: content}


def test_commands_named_by_prose_do_not_replace_a_file() -> None:
    answer = f"```python path={TESTS}\nx\n```\nRun the tests in `{TESTS}`:\n```bash\npytest\n```"
    assert parse_files(answer, (TESTS,)).files == {TESTS: "x\n"}


def test_what_a_fence_names_is_surer_than_what_prose_names() -> None:
    answer = f"```python path={CORE}\nx\n```\nUse `{CORE}` like this:\n```python\nexample\n```"
    assert parse_files(answer, (CORE,)).files == {CORE: "x\n"}


def test_the_last_of_two_wins_with_a_note() -> None:
    parsed = parse_files(f"```python path={CORE}\na\n```\n```python path={CORE}\nb\n```", (CORE,))
    assert parsed.files == {CORE: "b\n"}
    assert "more than once" in parsed.notes[0]


@pytest.mark.parametrize(
    "path",
    ["/etc/passwd", "../../x.py", "a/../../x", "C:/x.py", "~/x.py", ".git/hooks/pre-commit", "a\\b.py", "nul.py"],
)
def test_hostile_paths_are_refused_with_a_note(path: str) -> None:
    parsed = parse_files(f"```python path={path}\nbad\n```\n```python path={CORE}\nx\n```", (CORE,))
    assert parsed.files == {CORE: "x\n"}
    assert parsed.notes[0].startswith("refused file")


def test_files_of_other_tasks_are_dropped_with_a_note() -> None:
    parsed = parse_files(f"```python path=setup.py\nx\n```\n```python path={CORE}\nx\n```", (CORE,))
    assert list(parsed.files) == [CORE]
    assert parsed.notes == ("dropped file 'setup.py': not a file of this task",)


def test_an_ambiguous_name_is_not_guessed() -> None:
    with pytest.raises(AnswerError, match="missing files"):
        parse_files("```python path=core.py\nx\n```", ("a/core.py", "b/core.py"))


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ("", "missing files: pkg/core.py"),
        ("I cannot do that.", "missing files"),
        (f"```python path={CORE}\nx = 1\n", "not closed"),
        (f"```python path={CORE}\nx = 1\n```python path={TESTS}\ny\n```", "not closed"),
        ("<think>\nfor ever", "missing files"),
        ("```python\na\n```\n```python\nb\n```", "2 code blocks without a path"),
        (f"```python path={CORE}\n" + "x" * (1024 * 1024 + 1) + "\n```", "larger than"),
        ("```\na\n```\n" * 201, "more than 200"),
    ],
)
def test_unusable_answers_say_what_to_mend(answer: str, message: str) -> None:
    with pytest.raises(AnswerError, match=message) as caught:
        parse_files(answer, (CORE,))
    assert "\n" not in str(caught.value)


def test_missing_files_are_named() -> None:
    with pytest.raises(AnswerError, match=r"missing files: tests/test_core\.py;"):
        parse_files(f"```python path={CORE}\nx\n```", (CORE, TESTS))


def test_a_revision_may_leave_out_what_exists() -> None:
    answer = f"```python path={CORE}\nx\n```"
    assert list(parse_files(answer, (CORE, TESTS), kept=(CORE, TESTS)).files) == [CORE]
    with pytest.raises(AnswerError):
        parse_files("Nothing to change.", (CORE, TESTS), kept=(CORE, TESTS))


def test_prose_is_a_file_only_where_prose_was_asked_for() -> None:
    assert parse_files("# Title\n\nText.", ("README.md",)).files == {"README.md": "# Title\n\nText.\n"}
    with pytest.raises(AnswerError):
        parse_files("# Title\n\nText.", ("README.md", "b.md"))


@given(
    st.dictionaries(
        st.sampled_from(("a.py", "b/c.txt", "d.json", "notes/e.md")),
        st.text(st.characters(codec="utf-8", exclude_characters="\r`~"), max_size=80),
        min_size=1,
    )
)
def test_what_is_written_as_asked_is_read_back(files: dict[str, str]) -> None:
    ended = {path: content if content.endswith("\n") else f"{content}\n" for path, content in files.items()}
    answer = "\n".join(f"```text path={path}\n{content}```" for path, content in ended.items())
    assert parse_files(answer, tuple(ended)).files == ended


@given(st.text(st.sampled_from("`~\n <>/thinkpa.=#x:"), max_size=400))
def test_no_text_is_a_surprise(text: str) -> None:
    try:
        parsed = parse_files(text, (CORE, "README.md"))
    except AnswerError:
        return
    assert set(parsed.files) <= {CORE, "README.md"}


@pytest.mark.parametrize(
    "text",
    ["```\n" * 50_000, "```md x\n" * 50_000, "\n" * 300_000, "``` " + " " * 300_000 + "x",
     "```md\n" + "```\n" * 50_000, "<think>\n</think>\n" * 50_000,
     "```\n# a" + " " * 300_000 + "b\n```", "path= " * 50_000],
    ids=["fences", "nested", "blank", "spaces", "markdown", "reasoning", "comment", "attributes"],
)  # fmt: skip
def test_large_hostile_texts_take_little_time(text: str) -> None:
    begin = time.process_time()
    try:
        scan(text)
        parse_files(text, (CORE,))
    except AnswerError:
        pass
    assert time.process_time() - begin < 5
