"""What a simulated model answers at each stage."""

import difflib
import json
import random
from dataclasses import dataclass

from pydantic import BaseModel

from orchestrator.domain.answers import (
    CriteriaAnswer,
    CriterionAnswer,
    Critique,
    CritiqueIssue,
    Evaluation,
    SuggestionsAnswer,
    Verdict,
)
from orchestrator.domain.pipeline_attempts import PipelineStage
from orchestrator.domain.tasks import Stage
from orchestrator.providers.base import ModelRequest
from orchestrator.providers.simulated.defects import spoil
from orchestrator.providers.simulated.fences import normalised, read_files, write_files
from orchestrator.providers.simulated.software import NOTICE, Software, software_for
from orchestrator.providers.simulated.steps import step_answer
from orchestrator.settings.simulated import SimulatedModel

# Shares of answers in which a model of quality 0 would go wrong; a model of quality 1 never does.
_MISSED = 0.4
_NOT_MENDED = 0.3
_STYLE_ONLY = 0.6
_AVERAGE_QUALITY = 0.8
_MAX_ISSUES = 8
_STYLE = "a docstring could say in which unit the values are"


@dataclass(frozen=True)
class Answerer:
    """Answers one request as `model` would; `rng` is the only source of chance."""

    model: SimulatedModel
    defect_rate: float
    rng: random.Random

    def answer(self, request: ModelRequest) -> str:
        """The text of the answer."""
        if request.stage is PipelineStage.STEP:
            return step_answer(self.model.model, request.prompt, request.json_schema)
        software = software_for(request.sections.get("project", ""))
        match request.stage:
            case Stage.ENHANCE:
                return _as_json(SuggestionsAnswer(suggestions=list(software.suggestions)), request)
            case Stage.ADVISE:
                return _as_json(software.architecture, request)
            case Stage.PLAN:
                return _as_json(software.plan(), request)
            case Stage.CRITIQUE:
                return _as_json(self._critique(request, software), request)
            case Stage.JUDGE:
                return _as_json(_judgement(request), request)
            case Stage.EVALUATE:
                return _as_json(self._evaluation(request, software), request)
            case Stage.GENERATE:
                return _as_files(self._first_draft(request, software))
            case Stage.REVISE | Stage.REPAIR:
                return _as_files(self._mended(request, software))

    def _first_draft(self, request: ModelRequest, software: Software) -> dict[str, str]:
        files = {path: software.file(path) for path in _task_files(request)}
        # A model that is shown its attempts so far gets it right: no run goes on for ever.
        if request.sections.get("attempts") or self.rng.random() >= self._own_defect_rate():
            return files
        return spoil(files, software.slips, self.rng)

    def _own_defect_rate(self) -> float:
        """The set rate bent by quality: 0 and 1 stay, between them weak models err more often than good ones."""
        return self.defect_rate ** (self.model.quality / _AVERAGE_QUALITY) if self.defect_rate else 0.0

    def _mended(self, request: ModelRequest, software: Software) -> dict[str, str]:
        draft = read_files(request.sections.get("draft", ""))
        paths = _task_files(request) or list(draft)
        careless = request.stage is Stage.REVISE and not request.sections.get("attempts")
        if careless and self._goes_wrong(_NOT_MENDED) and draft.keys() >= set(paths):
            return {path: draft[path] for path in paths}
        return {path: software.file(path) for path in paths}

    def _critique(self, request: ModelRequest, software: Software) -> Critique:
        issues = _defects_of(request, software)
        if issues and not self._goes_wrong(_MISSED):
            score = round(self.rng.uniform(0.3, 0.6), 2)
            return Critique(score=score, verdict=Verdict.REVISE, issues=issues[:_MAX_ISSUES])
        style = [CritiqueIssue(message=_STYLE)] if self._goes_wrong(_STYLE_ONLY) else []
        return Critique(score=round(self.rng.uniform(0.88, 0.97), 2), verdict=Verdict.APPROVE, issues=style)

    def _evaluation(self, request: ModelRequest, software: Software) -> Evaluation:
        issues = _defects_of(request, software)
        if issues:
            # Below half of every threshold, so that one bad draft is no plateau.
            score = round(self.rng.uniform(0.2, 0.36), 2)
            return Evaluation(score=score, reasoning=f"{issues[0].file}: {issues[0].message}"[:300])
        score = round(self.rng.uniform(0.93, 0.97), 2)
        return Evaluation(score=score, reasoning="does what the task asks, and reads well")

    def _goes_wrong(self, share: float) -> bool:
        return self.rng.random() < share * (1 - self.model.quality)


def _judgement(request: ModelRequest) -> CriteriaAnswer:
    """Simulated models find that all criteria hold: every surface says that they are simulated."""
    lines = request.sections.get("questions", "").splitlines()
    numbers = [int(line.split(".", 1)[0]) for line in lines]
    said = "simulated models take it as met; nobody has read the files"
    return CriteriaAnswer(results=[CriterionAnswer(number=number, met=True, evidence=said) for number in numbers])


def _task_files(request: ModelRequest) -> list[str]:
    try:
        task = json.loads(request.sections.get("task") or "{}")
    except ValueError:
        return []
    files = task.get("files") if isinstance(task, dict) else None
    return [path for path in files if isinstance(path, str)] if isinstance(files, list) else []


def _defects_of(request: ModelRequest, software: Software) -> list[CritiqueIssue]:
    """Where the draft differs from what it should be."""
    draft = read_files(request.sections.get("draft", ""))
    issues = []
    for path in _task_files(request) or draft:
        if path not in draft:
            issues.append(CritiqueIssue(file=path, message="the file is missing"))
        else:
            issues += _differences(path, draft[path], normalised(software.file(path)))
    return issues


def _differences(path: str, is_text: str, should_text: str) -> list[CritiqueIssue]:
    given, wanted = is_text.splitlines(), should_text.splitlines()
    issues = []
    for tag, start, end, wanted_start, wanted_end in difflib.SequenceMatcher(
        None, given, wanted, autojunk=False
    ).get_opcodes():
        now, better = _shown(given[start:end]), _shown(wanted[wanted_start:wanted_end])
        match tag:
            case "replace":
                message = f"`{now}` is wrong here, it should be `{better}`"
            case "delete":
                message = f"`{now}` does not belong here"
            case "insert":
                message = f"`{better}` is missing here"
            case _:
                continue
        issues.append(CritiqueIssue(file=path, line=start + 1, message=message))
    return issues


def _shown(lines: list[str]) -> str:
    text = " ".join(line.strip() for line in lines if line.strip())
    return text if len(text) <= 100 else f"{text[:97]}..."


def _as_json(answer: BaseModel, request: ModelRequest) -> str:
    text = answer.model_dump_json(indent=2)
    return text if request.json_schema is not None else f"```json\n{text}\n```"


def _as_files(files: dict[str, str]) -> str:
    return f"Here is what was asked for.\n\n{write_files(files)}\n" if files else NOTICE
