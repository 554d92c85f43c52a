"""The applications of the tests: what models answer for each, as good engineers would."""

from collections.abc import Mapping
from pathlib import Path

from orchestrator.domain.answers import ArchitectureAnswer, PlannedPackages
from orchestrator.domain.base import Frozen
from orchestrator.providers.simulated.software import software_for
from orchestrator.testing.project_script import ProjectScript, ScriptedTask

_CORPUS = Path(__file__).with_name("corpus")


class App(Frozen):
    """One application: what the user says, and the script of the models."""

    name: str
    project: str
    criteria: str
    script: ProjectScript


def task(
    app: str, name: str, paths: tuple[str, ...], after: tuple[str, ...], validators: tuple[str, ...]
) -> ScriptedTask:
    """A task that writes these files of the corpus."""
    files = {path: (_CORPUS / app / path).read_text(encoding="utf-8") for path in paths}
    return ScriptedTask(id=name, dependencies=after, files=files, validators=validators)


_PY = ("python_syntax", "ruff")
_ACCOUNTS = App(
    name="jwt_service",
    project="A FastAPI service with sign-up and JWT login over SQLite",
    criteria="all tests pass, ruff clean, the server starts",
    script=ProjectScript(
        architecture=ArchitectureAnswer(
            app_type="fastapi",
            structural_pattern="layered",
            data_paradigm="relational",
            entry_point="app/main.py",
            run_command="python -m uvicorn app.main:app --host 127.0.0.1 --port 8000",
        ),
        packages=PlannedPackages(python=["pyjwt>=2.10"]),
        tasks=(
            task("jwt_service", "accounts", ("app/__init__.py", "app/accounts.py"), (), _PY),
            task("jwt_service", "tokens", ("app/tokens.py",), (), _PY),
            task("jwt_service", "service", ("app/main.py",), ("accounts", "tokens"), _PY),
            task("jwt_service", "tests", ("tests/test_service.py",), ("service",), (*_PY, "pytest")),
        ),
    ),
)
_SHORTENER = App(
    name="url_shortener",
    project="A URL shortener with FastAPI and an HTML page",
    criteria="all tests pass, the server starts",
    script=ProjectScript(
        architecture=ArchitectureAnswer(
            app_type="fastapi",
            entry_point="shortener/main.py",
            run_command="python -m uvicorn shortener.main:app --host 127.0.0.1 --port 8000",
        ),
        tasks=(
            task("url_shortener", "links", ("shortener/__init__.py", "shortener/links.py"), (), _PY),
            task("url_shortener", "page", ("shortener/templates/index.html",), (), ("html",)),
            task("url_shortener", "service", ("shortener/main.py",), ("links", "page"), _PY),
            task("url_shortener", "tests", ("tests/test_shortener.py",), ("service",), (*_PY, "pytest")),
        ),
    ),
)
_LANDING = App(
    name="landing_page",
    project="A static landing page for a bakery, with an imprint",
    criteria="valid HTML, all links lead somewhere",
    script=ProjectScript(
        architecture=ArchitectureAnswer(app_type="static_site", entry_point="index.html"),
        tasks=(
            task("landing_page", "style", ("styles.css",), (), ()),
            task("landing_page", "pages", ("index.html", "imprint.html"), ("style",), ("html",)),
        ),
    ),
)
_STOREFRONT = App(
    name="storefront",
    project="A Next.js storefront for a bakery",
    criteria="the build passes, all tests pass",
    script=ProjectScript(
        architecture=ArchitectureAnswer(app_type="nextjs", entry_point="app/page.tsx"),
        tasks=(
            task("storefront", "products", ("lib/products.ts",), (), ()),
            task("storefront", "card", ("components/ProductCard.tsx",), ("products",), ()),
            task("storefront", "pages", ("app/page.tsx", "app/products/[id]/page.tsx"), ("card",), ()),
            task("storefront", "tests", ("tests/products.test.tsx",), ("pages",), ()),
        ),
    ),
)


def known(name: str, project: str, app_type: str) -> App:
    """Software that the simulated models know by heart, written by scripted ones; without a manifest of its own."""
    software = software_for(project)
    tasks = []
    for planned in software.tasks:
        files = {path: software.files[path] for path in planned.files if path not in ("pyproject.toml", "README.md")}
        if files:
            tasks.append(
                ScriptedTask(
                    id=planned.id,
                    dependencies=tuple(planned.dependencies),
                    files=files,
                    validators=tuple(planned.validators),
                )
            )
    names = {one.id for one in tasks}
    kept = [one.model_copy(update={"dependencies": tuple(d for d in one.dependencies if d in names)}) for one in tasks]
    architecture = ArchitectureAnswer(app_type=app_type)
    script = ProjectScript(architecture=architecture, tasks=tuple(kept))
    return App(name=name, project=project, criteria="all tests pass, ruff clean", script=script)


KNOWN: Mapping[str, str] = {
    "rate_limiter": "Implement a Python rate limiter using decorators",
    "todo_cli": "Build a command-line todo app in Python",
    "csv_report": "A CSV report generator in Python",
}
APPS: tuple[App, ...] = (
    known("rate_limiter", KNOWN["rate_limiter"], "library"),
    known("todo_cli", KNOWN["todo_cli"], "cli"),
    known("csv_report", KNOWN["csv_report"], "cli"),
    _ACCOUNTS,
    _SHORTENER,
    _LANDING,
    _STOREFRONT,
)
