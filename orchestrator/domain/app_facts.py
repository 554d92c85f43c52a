"""What is decided for each type of app unless the advisor or the user says otherwise."""

from orchestrator.domain.app_names import app_names
from orchestrator.domain.apps import AppType, Architecture

_MODULE = "{module}"
_PYTEST = "python -m pytest"
_UVICORN = "python -m uvicorn app.main:app --host 127.0.0.1 --port 8000"

_FACTS = (
    Architecture(
        app_type=AppType.FASTAPI,
        structural_pattern="layered",
        topology="monolith",
        data_paradigm="none",
        api_paradigm="rest",
        stack=("Python", "FastAPI", "Uvicorn", "pytest with httpx2 for fastapi.testclient"),
        entry_point="app/main.py",
        run_command=_UVICORN,
        test_command=_PYTEST,
        rationale="The service is `app` in app/main.py.",
    ),
    Architecture(
        app_type=AppType.FLASK,
        structural_pattern="mvc",
        topology="monolith",
        data_paradigm="none",
        api_paradigm="rest",
        stack=("Python", "Flask", "Waitress", "pytest"),
        entry_point="app/__init__.py",
        run_command="python -m waitress --listen=127.0.0.1:8000 wsgi:app",
        test_command=_PYTEST,
        rationale="app/__init__.py has create_app(); wsgi.py, which the scaffold brings, makes the app from it.",
    ),
    Architecture(
        app_type=AppType.CLI,
        structural_pattern="layered",
        topology="monolith",
        data_paradigm="none",
        api_paradigm="cli",
        stack=("Python", "argparse", "pytest"),
        entry_point=f"{_MODULE}/cli.py",
        run_command=f"python -m {_MODULE}",
        test_command=_PYTEST,
        rationale=f"{_MODULE}/cli.py has main(), which the installed command and {_MODULE}/__main__.py call.",
    ),
    Architecture(
        app_type=AppType.LIBRARY,
        structural_pattern="layered",
        topology="library",
        data_paradigm="none",
        api_paradigm="none",
        stack=("Python", "pytest"),
        entry_point=f"{_MODULE}/__init__.py",
        test_command=_PYTEST,
        rationale=f"{_MODULE}/__init__.py exports the public names; everything is typed.",
    ),
    Architecture(
        app_type=AppType.SCRIPT,
        structural_pattern="script",
        topology="monolith",
        data_paradigm="none",
        api_paradigm="cli",
        stack=("Python", "argparse", "pytest"),
        entry_point="main.py",
        run_command="python main.py",
        test_command=_PYTEST,
        rationale="One file with main().",
    ),
    Architecture(
        app_type=AppType.DATA_PIPELINE,
        structural_pattern="extract, transform, load",
        topology="monolith",
        data_paradigm="document",
        api_paradigm="cli",
        stack=("Python", "csv of the standard library", "pytest"),
        entry_point="pipeline/__main__.py",
        run_command="python -m pipeline",
        test_command=_PYTEST,
        rationale="Steps are pure functions from rows to rows; only the ends read and write files.",
    ),
    Architecture(
        app_type=AppType.REACT_FASTAPI,
        structural_pattern="layered",
        topology="monolith",
        data_paradigm="none",
        api_paradigm="rest",
        stack=("Python", "FastAPI", "TypeScript", "React 19", "Vite 8", "pytest", "vitest"),
        entry_point="app/main.py",
        run_command=_UVICORN,
        build_command="npm run build",
        test_command=_PYTEST,
        rationale="The API is `app` in app/main.py under /api; it serves frontend/dist, which the build makes from "
        "frontend/src/main.tsx. The only package.json is that of the root; `npm test` tests the frontend.",
    ),
    Architecture(
        app_type=AppType.NEXTJS,
        structural_pattern="layered",
        topology="monolith",
        data_paradigm="none",
        api_paradigm="rest",
        stack=("TypeScript", "Next.js 16 with the App Router", "React 19", "vitest"),
        entry_point="app/page.tsx",
        run_command="npm start -- --hostname 127.0.0.1 --port 3000",
        build_command="npm run build",
        test_command="npm test",
        rationale="Pages are server components below app/; the build must work without a network: no fonts or data "
        "from outside.",
    ),
    Architecture(
        app_type=AppType.STATIC_SITE,
        structural_pattern="static pages",
        topology="serverless",
        data_paradigm="none",
        api_paradigm="none",
        stack=("HTML", "CSS", "JavaScript without a framework", "pytest for checks of the pages"),
        entry_point="index.html",
        run_command="python -m http.server 8000 --bind 127.0.0.1",
        test_command=_PYTEST,
        rationale="Files are served as they are, by relative addresses, without a build.",
    ),
    Architecture(
        app_type=AppType.GENERIC,
        structural_pattern="layered",
        topology="monolith",
        data_paradigm="none",
        api_paradigm="none",
        stack=("Python", "pytest"),
        entry_point="main.py",
        run_command="python main.py",
        test_command=_PYTEST,
    ),
)
_BY_TYPE = {each.app_type: each for each in _FACTS}


def facts(app_type: AppType, name: str = "app") -> Architecture:
    """The architecture of a type's scaffold. `name` is any name of the software: CLI and library are called by it."""
    default, module = _BY_TYPE[app_type], app_names(name).module
    names = ("entry_point", "run_command", "rationale")
    return default.model_copy(update={each: getattr(default, each).replace(_MODULE, module) for each in names})
