"""Batch files and lists of project files: which projects a batch has, what each may cost, and what is wrong."""

from datetime import date
from pathlib import Path

import pytest

from orchestrator.catalog import Catalog
from orchestrator.client.batch_file import BatchFile, load_batch
from orchestrator.client.batch_spec import PlannedBatch, plan_batch
from orchestrator.client.model_names import model_resolver
from orchestrator.domain.apps import EnhanceMode
from orchestrator.domain.errors import UserInputError
from orchestrator.settings import Settings
from tests.client.conftest import settings_at

RESOLVE = model_resolver(lambda: Catalog(day=date(2026, 1, 1), entries=(), models=()))
PROJECT = "project: Write {name}.\ncriteria: It is there.\n"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return settings_at(tmp_path / "home")


def write(folder: Path, *names: str, more: str = "") -> list[Path]:
    """Project files."""
    paths = [folder / f"{name}.yaml" for name in names]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(PROJECT.format(name=path.stem) + more, encoding="utf-8")
    return paths


def batch(folder: Path, text: str) -> Path:
    path = folder / "batch.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def keys(found: BatchFile) -> list[str]:
    return [item.key for item in found.items]


def caps(planned: PlannedBatch) -> list[int]:
    return [project.spec.max_micro for project in planned.projects]


def wrong(*paths: Path) -> list[str]:
    """What is wrong, by line, without the folder."""
    with pytest.raises(UserInputError) as error:
        load_batch(list(paths), RESOLVE)
    return str(error.value).replace(f"{paths[0].parent}/", "").splitlines()


def test_a_batch_file_says_what_runs(tmp_path: Path) -> None:
    write(tmp_path / "nested", "Second One")
    write(tmp_path, "first", "third", more="budget: 2\n")
    text = (
        "name: nightly\nbudget: 5\nconcurrency: 2\nprojects:\n- first.yaml\n- nested/Second One.yaml\n"
        "- {file: third.yaml, id: limiter, budget: 1.5}\n- {file: third.yaml, id: again}\n"
    )
    found = load_batch([batch(tmp_path, text)], RESOLVE)
    assert (found.name, found.max_micro, found.concurrency) == ("nightly", 5_000_000, 2)
    assert keys(found) == ["first", "second-one", "limiter", "again"]
    assert [item.max_micro for item in found.items] == [2_000_000, None, 1_500_000, 2_000_000]
    assert str(found.items[1].path) == "nested/Second One.yaml"


def test_a_list_of_files_is_called_after_its_folder(tmp_path: Path) -> None:
    folder = tmp_path / "overnight"
    paths = write(folder, "a", "b")
    found = load_batch(paths, RESOLVE)
    assert (found.name, keys(found), found.max_micro) == ("overnight", ["a", "b"], None)
    assert load_batch([*paths, *write(tmp_path, "c")], RESOLVE).name == "3 projects"
    assert load_batch(paths[:1], RESOLVE).name == "a"


def test_files_of_one_name_are_told_apart_by_their_folders(tmp_path: Path) -> None:
    paths = write(tmp_path, "todo/project", "shop/project", "blog")
    assert keys(load_batch(paths, RESOLVE)) == ["todo-project", "shop-project", "blog"]


def test_a_project_id_in_a_file_is_its_key(tmp_path: Path) -> None:
    (path,) = write(tmp_path, "a", more="project_id: my-shop\n")
    assert keys(load_batch([path], RESOLVE)) == ["my-shop"]


def test_what_is_wrong_with_files_is_said_at_once(tmp_path: Path) -> None:
    good, bad = write(tmp_path, "good", "bad")
    bad.write_text("project: x\nbudgett: 1\n", encoding="utf-8")
    (held,) = write(tmp_path, "held", more="approve: plan\non_exhausted: pause\n")
    found = wrong(good, bad, held, tmp_path / "none.yaml")
    assert found[0].startswith("bad.yaml:2:1: budgett: unknown name; did you mean 'budget'?")
    assert found[1] == "held.yaml: approve: a batch waits for nobody; remove it, or start the project alone"
    assert found[2].startswith("held.yaml: on_exhausted: a batch waits for nobody; remove 'pause'")
    assert found[3].startswith("none.yaml: cannot be read")
    (half,) = write(tmp_path, "half")
    half.write_text("project: x\n", encoding="utf-8")
    assert wrong(half) == ["half.yaml: criteria: is missing; add it"]


def test_files_that_appear_twice_and_keys_that_collide(tmp_path: Path) -> None:
    a, b, upper = write(tmp_path, "a", "b", "A")
    assert wrong(a, b, a) == ["a.yaml: is given twice; remove one of them"]
    assert wrong(a, upper)[0].startswith("A.yaml: would be called")
    listed = batch(tmp_path, "projects:\n- a.yaml\n- ./a.yaml\n- {file: b.yaml, id: x}\n- {file: b.yaml, id: x}\n")
    assert wrong(listed) == [
        "batch.yaml:3:3: projects[1]: is listed on line 2 already; remove one of them, or give this one an id",
        "batch.yaml:5:22: projects[3].id: 'x' is the id of line 4 already",
    ]
    assert wrong(a, listed) == ["batch.yaml: is a batch file; give it alone"]


def test_a_batch_of_nothing_is_refused(tmp_path: Path) -> None:
    assert wrong(batch(tmp_path, "projects: []\n"))[0].endswith("lists no project; name at least one project file")
    assert wrong(batch(tmp_path, "projects: [none.yaml]\n"))[0].startswith("batch.yaml:1:12: projects[0]: there is no")


def test_a_cap_above_the_budget_of_the_batch_is_refused(tmp_path: Path, settings: Settings) -> None:
    paths = write(tmp_path, "a", more="budget: 3\n")
    text = "budget: 2\nprojects:\n- a.yaml\n- {file: a.yaml, id: b, budget: 2.5}\n"
    assert wrong(batch(tmp_path, text)) == [
        "batch.yaml:3:3: projects[0]: its budget of $3.00 is above the $2.00 of the whole batch",
        "batch.yaml:4:33: projects[1].budget: its budget of $2.50 is above the $2.00 of the whole batch",
    ]
    with pytest.raises(UserInputError, match=r"above the \$2.00 of the whole batch; lower it, or raise --budget"):
        plan_batch(paths, settings, max_micro=2_000_000)


def test_projects_without_a_budget_share_that_of_the_batch(tmp_path: Path, settings: Settings) -> None:
    paths = [*write(tmp_path, "a", "b"), *write(tmp_path, "c", more="budget: 0.9\n")]
    assert caps(plan_batch(paths, settings, max_micro=1_000_000)) == [330_000, 330_000, 900_000]
    assert caps(plan_batch(paths, settings, max_micro=10**9)) == [8_000_000, 8_000_000, 900_000]


def test_without_a_budget_the_caps_of_the_projects_add_up(tmp_path: Path, settings: Settings) -> None:
    paths = [*write(tmp_path, "a"), *write(tmp_path, "b", more="budget: 2\n")]
    planned = plan_batch(paths, settings)
    assert (caps(planned), planned.max_micro, planned.concurrency) == ([8_000_000, 2_000_000], 10_000_000, 4)


def test_nobody_is_asked(tmp_path: Path, settings: Settings) -> None:
    paths = [*write(tmp_path, "a", more="enhance: ask\n"), *write(tmp_path, "b", more="enhance: off\n")]
    modes = [project.spec.enhance for project in plan_batch(paths, settings).projects]
    assert modes == [EnhanceMode.ALL, EnhanceMode.OFF]


def test_ids_tell_nothing_where_they_must_not(tmp_path: Path) -> None:
    key = "ORCH_ENCRYPTION_KEYS"
    secret = settings_at(tmp_path / "home", **{key: "k1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="})
    planned = plan_batch(write(tmp_path, "merger", "layoffs"), secret)
    assert [project.key for project in planned.projects] == ["p0001", "p0002"]
