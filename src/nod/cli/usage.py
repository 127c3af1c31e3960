"""`nod usage`: what this agent's tasks have used up by day."""

import click

from nod.cli.output import as_json, show_json, show_table
from nod.cli.reading import task_named
from nod.client.client import Client
from nod.client.types import BudgetToday, UsedOnDay

_STATES = {
    "free": "",
    "ask": ", nearly used up",
    "over": ", used up: nothing more runs today",
    "lifted": ", lifted for today",
    "stopped": ", stopped for today",
}


@click.command()
@click.argument("task", required=False)
@click.option("--days", default=7, show_default=True, type=click.IntRange(1), help="How many.")
@as_json
def usage(task: str | None, days: int, json_: bool) -> None:
    """What was used up by day: by TASK (an id or a name), or by all tasks."""
    with Client() as client:
        task_id = None if task is None else task_named(client, task)
        found = client.usage(task_id, days=days)
    if json_:
        show_json(found)
        return
    headings = ("DAY", "RUNS", "TOKENS IN", "TOKENS OUT", "COST", "MINUTES")
    show_table(headings, [_row(each) for each in found["days"]], "")
    for each in found["budgets"]:
        click.echo(_said(each))


def _row(day: UsedOnDay) -> list[str]:
    return [
        day["day"],
        f"{day['runs']:,}",
        f"{day['input_tokens']:,}",
        f"{day['output_tokens']:,}",
        f"${day['cost_usd']:,.2f}",
        f"{day['minutes']:,.1f}",
    ]


def _said(budget: BudgetToday) -> str:
    used = max(each["percent"] for each in budget["used"])
    state = _STATES.get(budget["state"], "")
    return f"Budget of the {budget['of']}: {budget['words']}; {used} % used today{state}."
