"""Suggestions for a project text before a person: one at a time, or by a command."""

from collections.abc import Mapping

from cli.console import say, show, show_json
from cli.dialogue import ask
from cli.session import checked_id, operator, run_async, settings_for
from cli.steering import show_outcome
from orchestrator.client.facade import OrchClient
from orchestrator.contracts.messages import ChooseSuggestions
from orchestrator.domain.answers import Suggestion
from orchestrator.domain.errors import UserInputError
from orchestrator.domain.text import one_line

_ALL, _NONE = "all", "none"
_QUESTION = "Add it? [Y] yes  [n] no  [a] this and all others  [q] no more:"


def suggestion_lines(number: str, suggestion: Suggestion) -> list[str]:
    """One suggestion for a reader."""
    lines = [f"{number}  {suggestion.kind.value}: {one_line(suggestion.title, 120)}"]
    lines.append(f"    {one_line(suggestion.description, 1000)}")
    for name, patch in (("project", suggestion.patch_project), ("criteria", suggestion.patch_criteria)):
        if patch:
            lines.append(f"    adds to the {name}: {one_line(patch, 2000)}")
    return lines


def how_to_choose(project_id: str) -> tuple[str, str]:
    """The commands that show and choose, for whoever is not at a terminal."""
    return (
        f"read them:  orch-cli suggestions {project_id}",
        f"choose:     orch-cli suggestions {project_id} --accept s1,s2 (or 'all', or 'none')",
    )


async def ask_about_suggestions(client: OrchClient, project_id: str, offered: Mapping[str, Suggestion]) -> str:
    """Ask about each suggestion, and have the run go on with those that were accepted; returns what it says.

    Raises InputEndedError where nobody answers any more.
    """
    say(f"{len(offered)} suggestion(s) for the text of {project_id}:")
    accepted: list[str] = []
    rest = list(offered)
    while rest:
        name = rest[0]
        for line in suggestion_lines(f"{len(offered) - len(rest) + 1} of {len(offered)}", offered[name]):
            say(line)
        match (await ask(_QUESTION)).lower():
            case "" | "y" | "yes":
                accepted.append(name)
                rest = rest[1:]
            case "n" | "no":
                rest = rest[1:]
            case "a" | "all":
                accepted, rest = [*accepted, *rest], []
            case "q" | "quit":
                rest = []
    return await client.steer(project_id, ChooseSuggestions(by=operator(), accepted=tuple(accepted)))


def suggestions_of_run(project_id: str, accept: str | None, *, json_output: bool, profile: str | None) -> int:
    """Show the suggestions that wait for a choice, or choose."""
    settings = settings_for(profile)
    checked_id(project_id)

    async def command() -> int:
        client = await OrchClient.connect(settings, say)
        offered = await client.suggestions(project_id)
        if accept is not None:
            request = ChooseSuggestions(by=operator(), accepted=_accepted(accept, offered))
            show_outcome(project_id, request, await client.steer(project_id, request), json_output=json_output)
        elif json_output:
            found = [{"id": name, **one.model_dump(mode="json")} for name, one in offered.items()]
            show_json({"project_id": project_id, "suggestions": found})
        else:
            _show(project_id, offered)
        return 0

    return run_async(command())


def _show(project_id: str, offered: Mapping[str, Suggestion]) -> None:
    if not offered:
        raise UserInputError(f"no suggestions of {project_id} wait for a choice")
    for name, suggestion in offered.items():
        for line in suggestion_lines(name, suggestion):
            show(line)


def _accepted(accept: str, offered: Mapping[str, Suggestion]) -> tuple[str, ...]:
    """Ids out of `s1,s3`, `all` or `none`; the run refuses those that it does not know."""
    if accept.strip().lower() == _ALL:
        return tuple(offered)
    names = tuple(name.strip() for name in accept.split(",") if name.strip())
    return () if accept.strip().lower() == _NONE else names
