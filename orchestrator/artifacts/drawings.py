"""Pictures of a run as plain numbers: where tasks and calls lie. The report turns them into SVG."""

from collections.abc import Sequence

from orchestrator.contracts.project import TaskView
from orchestrator.contracts.tools import CallRecord
from orchestrator.domain.base import Frozen
from orchestrator.domain.graph import in_order
from orchestrator.domain.tasks import TaskSpec

_NODE_WIDTH, _NODE_HEIGHT = 190, 44
_GAP_X, _GAP_Y, _MARGIN = 56, 16, 12
_ROW_HEIGHT = 22
_CHART_WIDTH = 900


class Node(Frozen):
    """A task's box in pixels; `x` and `y` of its upper left corner."""

    id: str
    title: str
    status: str
    x: int
    y: int
    width: int = _NODE_WIDTH
    height: int = _NODE_HEIGHT


class Edge(Frozen):
    """A line between two points in pixels."""

    x1: int
    y1: int
    x2: int
    y2: int


class GraphDrawing(Frozen):
    """The task graph from left to right, a column per depth."""

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    width: int
    height: int


class Bar(Frozen):
    """One call in the timeline, in pixels; the text is for who points at it."""

    x: float
    width: float
    stage: str
    text: str


class Lane(Frozen):
    """All calls of one task."""

    task: str
    y: int
    bars: tuple[Bar, ...]


class Timeline(Frozen):
    """When each call ran; `seconds` from the first request to the last answer."""

    lanes: tuple[Lane, ...]
    width: int
    height: int
    seconds: float


def draw_graph(plan: Sequence[TaskSpec], tasks: Sequence[TaskView]) -> GraphDrawing:
    """Each task right of all that it depends on. `plan` is a DAG."""
    depth: dict[str, int] = {}
    for task in in_order(plan):
        depth[task.id] = 1 + max((depth[name] for name in task.dependencies), default=-1)
    columns: dict[int, int] = {}
    status = {task.id: task.status for task in tasks}
    nodes: dict[str, Node] = {}
    for task in plan:
        row = columns.get(depth[task.id], 0)
        columns[depth[task.id]] = row + 1
        nodes[task.id] = Node(
            id=task.id,
            title=task.title,
            status=status.get(task.id, ""),
            x=_MARGIN + depth[task.id] * (_NODE_WIDTH + _GAP_X),
            y=_MARGIN + row * (_NODE_HEIGHT + _GAP_Y),
        )
    edges = [_edge(nodes[name], nodes[task.id]) for task in plan for name in dict.fromkeys(task.dependencies)]
    return GraphDrawing(
        nodes=tuple(nodes.values()),
        edges=tuple(edges),
        width=2 * _MARGIN + max((node.x + node.width for node in nodes.values()), default=0),
        height=2 * _MARGIN + max((node.y + node.height for node in nodes.values()), default=0),
    )


def draw_timeline(calls: Sequence[CallRecord]) -> Timeline:
    """A lane per task, in order of its first call."""
    timed = sorted((call for call in calls if call.ended_s), key=_began_s)
    if not timed:
        return Timeline(lanes=(), width=_CHART_WIDTH, height=0, seconds=0.0)
    first_s = _began_s(timed[0])
    seconds = max(max(call.ended_s for call in timed) - first_s, 0.001)
    scale = _CHART_WIDTH / seconds
    bars: dict[str, list[Bar]] = {}
    for call in timed:
        text = f"{call.stage} #{call.iteration} {call.role} {call.model}: {call.outcome}, {call.latency_ms} ms"
        bar = Bar(
            x=round((_began_s(call) - first_s) * scale, 1),
            width=max(round(call.latency_ms / 1000 * scale, 1), 2.0),
            stage=call.stage,
            text=text,
        )
        bars.setdefault(call.task, []).append(bar)
    lanes = [
        Lane(task=task, y=number * _ROW_HEIGHT, bars=tuple(found)) for number, (task, found) in enumerate(bars.items())
    ]
    return Timeline(lanes=tuple(lanes), width=_CHART_WIDTH, height=len(lanes) * _ROW_HEIGHT, seconds=seconds)


def _began_s(call: CallRecord) -> float:
    return call.ended_s - call.latency_ms / 1000


def _edge(start: Node, end: Node) -> Edge:
    return Edge(x1=start.x + start.width, y1=start.y + start.height // 2, x2=end.x, y2=end.y + end.height // 2)
