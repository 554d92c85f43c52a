"""The work of `budget`: the ledger of a run as a table, and a new cap."""

from typing import Any

from cli.console import columns, say, show, show_json
from cli.results import money
from cli.session import checked_id, operator, run_async, settings_for
from cli.steering import parsed
from orchestrator.client.facade import OrchClient
from orchestrator.client.spec import parse_budget
from orchestrator.contracts.messages import SetBudget
from orchestrator.contracts.project import BudgetView
from orchestrator.domain.money import usd
from orchestrator.domain.phases import PhaseSpend
from orchestrator.domain.text import duration, one_line


def budget_of_run(project_id: str, max_usd: str | None, *, json_output: bool, profile: str | None) -> int:
    """Show the budget of a run, after setting a new cap where one is given."""
    settings = settings_for(profile)
    checked_id(project_id)
    max_micro = None if max_usd is None else parsed("--max-usd", parse_budget, max_usd)

    async def command() -> int:
        client = await OrchClient.connect(settings, say)
        if max_micro is not None:
            line = await client.steer(project_id, SetBudget(by=operator(), max_micro=max_micro))
            say(one_line(line))
        view = await client.budget(project_id)
        if json_output:
            show_json(budget_object(project_id, view))
        else:
            show(budget_block(project_id, view))
        return 0

    return run_async(command())


def budget_object(project_id: str, view: BudgetView) -> dict[str, Any]:
    """The object of `budget --json`."""
    return {
        "project_id": project_id,
        "max_usd": usd(view.max_micro),
        "spent_usd": usd(view.spent_micro),
        "uncertain_usd": usd(view.uncertain_micro),
        "reserved_usd": usd(view.reserved_micro),
        "left_usd": usd(_left_micro(view)),
        "waiting": view.waiting,
        "time_limit_s": view.time_limit_s,
        "elapsed_s": round(view.elapsed_s, 3),
        "phases": [
            {
                "phase": spend.phase.value,
                "soft_cap_usd": usd(spend.cap_micro),
                "spent_usd": usd(spend.spent_micro),
            }
            for spend in view.phases
        ],
    }


def budget_block(project_id: str, view: BudgetView) -> str:
    """The budget as text for a reader."""
    facts: list[tuple[str, ...]] = [
        ("budget", money(view.max_micro)),
        ("spent", money(view.spent_micro)),
        ("uncertain", f"{money(view.uncertain_micro)}  calls whose fate is not known, at their upper bound"),
        ("reserved", f"{money(view.reserved_micro)}  calls under way, at their upper bound"),
        ("left", money(_left_micro(view))),
    ]
    if view.waiting:
        facts.append(("waiting", f"{view.waiting} calls, until reservations are settled"))
    facts.append(("time", f"{duration(view.elapsed_s)} of {duration(view.time_limit_s)}"))
    lines = [project_id, *columns(facts)]
    if view.phases:
        head = ("phase", "spent", "soft cap", "used")
        rows = [(s.phase.value, money(s.spent_micro), money(s.cap_micro), _used(s)) for s in view.phases]
        lines += [
            "",
            *columns([head, *rows]),
            "",
            "  A soft cap warns when it is crossed; only the budget stops calls.",
        ]
    return "\n".join(lines)


def _left_micro(view: BudgetView) -> int:
    return max(0, view.max_micro - view.spent_micro - view.uncertain_micro - view.reserved_micro)


def _used(spend: PhaseSpend) -> str:
    return f"{spend.spent_micro * 100 // spend.cap_micro} %" if spend.cap_micro else "-"
