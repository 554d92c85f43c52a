"""Functions that are called when something happens in a run."""

import logging
from collections.abc import Callable
from enum import StrEnum
from typing import Any

logger = logging.getLogger(__name__)


class EventType(StrEnum):
    """When a hook is called, and with which keyword arguments; take `**_` for those that you do not need."""

    TASK_STARTED = "task_started"  # task_id, task
    TASK_COMPLETED = "task_completed"  # task_id, result: with a result or without
    VALIDATION_FAILED = "validation_failed"  # task_id, model, validators
    BUDGET_WARNING = "budget_warning"  # phase, spent, cap, ratio
    MODEL_SELECTED = "model_selected"  # task_id, model, backend
    TASK_RETRY_WITH_HISTORY = "task_retry_with_history"  # task_id, iteration, attempts


Hook = Callable[..., object]


class HookRegistry:
    """Hooks by event. One that raises is logged and disturbs nobody."""

    def __init__(self) -> None:
        self._hooks: dict[EventType, list[Hook]] = {}

    def add(self, event: EventType | str, hook: Hook) -> None:
        """Call `hook` at every `event`. Raises ValueError for an event that there is not."""
        self._hooks.setdefault(EventType(event), []).append(hook)

    def fire(self, event: EventType, **arguments: Any) -> None:
        """Call the hooks of `event` in the order in which they were added."""
        for hook in self._hooks.get(event, ()):
            try:
                hook(**arguments)
            except Exception:  # the user's code: the run must not depend on it, and all of the error is logged
                logger.exception("a hook of %s failed", event.value)
