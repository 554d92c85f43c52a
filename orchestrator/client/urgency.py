"""Whose work comes first where a cluster's workers are busy; servers that do not support it ignore it."""

from temporalio.common import Priority, SearchAttributeKey, SearchAttributePair

from orchestrator.contracts.names import PRIORITY_ATTENDED, PRIORITY_UNATTENDED

TEAM = SearchAttributeKey.for_keyword("OrchTeam")


def urgency(team: str, *, attended: bool) -> Priority:
    """Of a run that somebody waits for, or of a batch or schedule; its activities and children inherit it.

    Among equals the teams take turns, however much work each has.
    """
    return Priority(
        priority_key=PRIORITY_ATTENDED if attended else PRIORITY_UNATTENDED, fairness_key=team if team else None
    )


def team_attribute(team: str) -> list[SearchAttributePair[str]]:
    """By which runs of a team are found."""
    return [SearchAttributePair(TEAM, team)] if team else []
