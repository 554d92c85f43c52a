"""The work of the commands about pipelines that are not run: files and templates."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from cli.console import columns, say, show, show_json
from cli.pipeline_graph import as_mermaid, as_text
from orchestrator.catalog import load_catalog
from orchestrator.domain.errors import UserInputError, UserInputErrors
from orchestrator.domain.model import ModelSpec
from orchestrator.domain.pipeline import LlmStep, PipelineSpec, all_steps
from orchestrator.domain.pipeline_plan import PipelinePlan
from orchestrator.domain.text import one_line
from orchestrator.pipelines.loader import load_pipeline, parse_pipeline
from orchestrator.pipelines.templates import names as template_names
from orchestrator.pipelines.templates import source as template_source
from orchestrator.pipelines.validation import plan_of
from orchestrator.settings import load_settings
from orchestrator.settings.yaml_files import nearest

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,99}")
_MAX_TEXT = 200


def read_pipeline(source: str, models: Iterable[ModelSpec] | None) -> PipelineSpec:
    """The pipeline of a file, or of a template. Raises UserInputError with everything that is wrong."""
    path = Path(source).expanduser()
    if path.exists() or "/" in source or path.suffix in (".yaml", ".yml"):
        return load_pipeline(path, models)
    if source in template_names():
        return parse_pipeline(template_source(source), source, models=models)
    hint = nearest(source, template_names())
    raise UserInputError(f"{one_line(source, _MAX_TEXT)!r}: there is no such file, and no such template; {hint}")


def validate_file(source: str, *, json_output: bool) -> int:
    """Check a pipeline and say that it can run. Raises UserInputErrors with everything that is wrong."""
    try:
        spec = read_pipeline(source, load_catalog(load_settings()))
        plan = plan_of(spec)
    except UserInputError as error:
        if not json_output:
            raise
        problems = error.problems if isinstance(error, UserInputErrors) else (str(error),)
        show_json({"file": source, "valid": False, "problems": list(problems)})
        return 2
    if json_output:
        show_json({"file": source, "valid": True, "problems": [], **_described(plan)})
    else:
        count = len(plan.steps)
        show(f"{source}: {spec.name} {spec.version} can run: {count} step{'s' if count != 1 else ''}, {_inputs(plan)}")
    return 0


def show_file(source: str, *, mermaid: bool, json_output: bool) -> int:
    """Show the graph of a pipeline."""
    plan = plan_of(read_pipeline(source, None))
    if json_output:
        show_json({**_described(plan), "mermaid": as_mermaid(plan)})
    elif mermaid:
        show(as_mermaid(plan))
    else:
        spec = plan.spec
        show(f"{one_line(spec.name)} {one_line(spec.version)}")
        if spec.description:
            show(f"  {one_line(spec.description, _MAX_TEXT)}")
        show(f"  {_inputs(plan)}")
        show("")
        for line in as_text(plan):
            show(line)
    return 0


def show_templates(*, json_output: bool) -> int:
    """List the templates."""
    plans = {name: plan_of(parse_pipeline(template_source(name), name)) for name in template_names()}
    if json_output:
        show_json({"templates": [{"template": name, **_described(plan)} for name, plan in plans.items()]})
        return 0
    rows = [("template", "inputs", "what"), *(_row(name, plan) for name, plan in plans.items())]
    for line in columns(rows, indent=""):
        show(line)
    return 0


def init_file(name: str, template: str) -> int:
    """Write NAME.yaml from a template. Raises UserInputError where the file is there already."""
    if not _NAME.fullmatch(name):
        raise UserInputError(f"NAME: {one_line(name, 80)!r} is no name; letters, digits, '-' and '_' make one")
    if template not in template_names():
        hint = nearest(template, template_names())
        raise UserInputError(f"--template: unknown template {one_line(template, 80)!r}; {hint}")
    path = Path(f"{name}.yaml")
    text = re.sub(r"(?m)^name:.*$", f"name: {name}", template_source(template), count=1)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise UserInputError(f"{path} exists already; choose another name") from None
    except OSError as error:
        raise UserInputError(f"{path}: cannot be written: {error.strerror or error}") from None
    show(str(path))
    say(f"Check it with 'orch-cli pipeline validate {path}', try it with 'orch-cli pipeline run {path} --mock'.")
    return 0


def _described(plan: PipelinePlan) -> dict[str, Any]:
    spec = plan.spec
    return {
        "name": spec.name,
        "version": spec.version,
        "description": spec.description,
        "budget_usd": spec.budget,
        "inputs": {name: each.model_dump(mode="json") for name, each in plan.inputs.items()},
        "steps": [
            {
                "name": step.name,
                "step_type": step.step_type,
                "output_key": step.key,
                "after": list(plan.nodes[step.name].after),
                "within": list(plan.nodes[step.name].holders),
                "model": step.model if isinstance(step, LlmStep) else None,
            }
            for step in all_steps(spec.steps)
        ],
    }


def _inputs(plan: PipelinePlan) -> str:
    names = [name if each.required else f"[{name}]" for name, each in plan.inputs.items()]
    return f"inputs: {', '.join(names)}" if names else "no inputs"


def _row(name: str, plan: PipelinePlan) -> tuple[str, ...]:
    return name, ", ".join(plan.inputs), one_line(plan.spec.description, 100)
