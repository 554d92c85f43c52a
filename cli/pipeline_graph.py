"""A pipeline's steps as a graph: as text, and as a Mermaid diagram."""

from collections.abc import Iterator

from orchestrator.domain.pipeline import ForEachStep, LlmStep, Step, TransformStep
from orchestrator.domain.pipeline_plan import PipelinePlan
from orchestrator.domain.text import one_line

_MAX_LABEL = 60
_MERMAID = str.maketrans({'"': "'", "<": "(", ">": ")", "#": " ", "`": "'"})


def as_text(plan: PipelinePlan) -> list[str]:
    """One line per step: what it does, what it gives, what it waits for; steps within others are indented."""
    return list(_lines(plan, plan.spec.steps, ""))


def as_mermaid(plan: PipelinePlan) -> str:
    """A flow chart; an arrow leads from what is waited for to what waits."""
    lines = ["flowchart TD"]
    lines += _boxes(plan.spec.steps, "    ")
    for name, node in plan.nodes.items():
        lines += [f"    {_id(before)} --> {_id(name)}" for before in node.after]
    return "\n".join(lines)


def _lines(plan: PipelinePlan, steps: tuple[Step, ...], indent: str) -> Iterator[str]:
    for position, step in enumerate(steps):
        last = position == len(steps) - 1
        after = plan.nodes[step.name].after
        waits = f"  after {', '.join(after)}" if after else ""
        only = f"  if {one_line(step.condition, _MAX_LABEL)}" if step.condition else ""
        yield f"{indent}{'└─' if last else '├─'} {step.name}  [{_work(step)}] -> {step.key}{waits}{only}"
        yield from _lines(plan, step.children, indent + ("   " if last else "│  "))


def _boxes(steps: tuple[Step, ...], indent: str) -> Iterator[str]:
    for step in steps:
        label = f"{step.name}<br/>{one_line(_work(step), _MAX_LABEL).translate(_MERMAID)}"
        if step.children:
            yield f'{indent}subgraph {_id(step.name)}["{label}"]'
            yield from _boxes(step.children, indent + "    ")
            yield f"{indent}end"
        else:
            yield f'{indent}{_id(step.name)}["{label}"]'


def _work(step: Step) -> str:
    """What a step does, in a few words."""
    if isinstance(step, LlmStep):
        return f"llm {one_line(' or '.join((step.model, *step.fallback)), _MAX_LABEL)}"
    if isinstance(step, TransformStep):
        return f"transform {step.builtin.value if step.builtin else step.function or one_line(step.expression, 40)}"
    if isinstance(step, ForEachStep):
        items = step.items if isinstance(step.items, str) else f"{len(step.items)} items"
        return f"for each {step.item_var} of {one_line(items, 40)}, {step.concurrency} at a time"
    return step.step_type.replace("_", " ")


def _id(name: str) -> str:
    """A name that is no word of Mermaid, such as `end`."""
    return f"s_{name}"
