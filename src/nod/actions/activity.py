"""What happened, for the person, newest first: ends of runs, requests and answers, tasks made, and
the lines that were written beside them.

What has its own row is read from there, so nothing is written twice. Each source is asked for its
newest entries of each agent by an index, so that a page costs the same however long the history has
grown.
"""

from dataclasses import dataclass
from typing import TypeVar

import msgspec

from nod.actions.agents import get_agent
from nod.actions.owned import owned_task
from nod.domain import activity
from nod.domain.activity import Group, Happened, Place
from nod.domain.errors import InvalidInput
from nod.domain.model import User
from nod.store.chat import NEWEST
from nod.store.store import Tx

T = TypeVar("T", str, int)

AFTER_ALL = Place(NEWEST, activity.LINE + 1, "")
_HIGHEST_ID = "~"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which entries: of one agent, of one task, of one group of kinds. None: of all."""

    agent_id: str | None = None
    task_id: str | None = None
    group: Group | None = None


ALL = Wanted()


async def list_activity(
    tx: Tx, user: User, wanted: Wanted, limit: int, before: Place = AFTER_ALL
) -> list[Happened]:
    """The person's entries, those before a place. Raises NotFound for what is not theirs."""
    asked = await _agents(tx, user, wanted)
    found = [
        each for agent_id in asked for each in await _of_agent(tx, agent_id, wanted, before, limit)
    ]
    return sorted(found, key=lambda each: each.place, reverse=True)[:limit]


async def _agents(tx: Tx, user: User, wanted: Wanted) -> list[str]:
    if wanted.agent_id is not None:
        await get_agent(tx, user, wanted.agent_id)
    if wanted.task_id is not None:
        task, _ = await owned_task(tx, user, wanted.task_id)
        return [task.agent_id] if wanted.agent_id in (None, task.agent_id) else []
    if wanted.agent_id is not None:
        return [wanted.agent_id]
    return [each.id for each in await tx.people.agents_of(user.id)]


async def _of_agent(
    tx: Tx, agent_id: str, wanted: Wanted, before: Place, limit: int
) -> list[Happened]:
    """At most `limit` entries of each source."""
    task_id, group = wanted.task_id, wanted.group
    lines = await tx.chat.activity_of(
        agent_id,
        limit,
        _bound(before, activity.LINE, NEWEST, -1),
        task_id,
        activity.line_kinds(group),
    )
    found = [activity.line_happened(each) for each in lines]
    if states := activity.run_states(group):
        bound = _bound(before, activity.RUN_ENDED, _HIGHEST_ID, "")
        ended = await tx.runs.ended_of(agent_id, limit, bound, task_id, states)
        found += [activity.run_ended(run, name) for run, name in ended]
    if group in (None, "requests"):
        bound = _bound(before, activity.ANSWERED, _HIGHEST_ID, "")
        given = await tx.chat.answered_of(agent_id, limit, bound, task_id)
        found += [activity.answered(each) for each in given]
    if group in (None, "changes"):
        bound = _bound(before, activity.TASK_MADE, _HIGHEST_ID, "")
        made = await tx.tasks.made_of(agent_id, limit, bound, task_id)
        found += [activity.task_made(each) for each in made]
    return found


def _bound(before: Place, rank: int, highest: T, lowest: T) -> tuple[int, T]:
    """What a source's entries before the place are below: its own entries of that very moment come
    after the place, before it, or on both sides of it."""
    if rank == before.rank and isinstance(before.tie, type(highest)):
        return before.at, before.tie
    return before.at, highest if rank < before.rank else lowest


def write_cursor(place: Place) -> str:
    """Where the page after this entry begins."""
    return f"{place.at}.{place.rank}.{place.tie}"


def read_cursor(cursor: str | None) -> Place:
    """The place that the page before ended with. Raises InvalidInput."""
    if not cursor:
        return AFTER_ALL
    at, _, rest = cursor.partition(".")
    rank, _, tie = rest.partition(".")
    numbers = [at, rank, tie] if rank == str(activity.LINE) else [at, rank]
    if not tie or not all(each.isascii() and each.isdigit() and len(each) < 19 for each in numbers):
        raise InvalidInput("cursor must be taken from the Link header of the page before")
    return Place(int(at), int(rank), int(tie) if rank == str(activity.LINE) else tie)


def read_group(text: str | None) -> Group | None:
    """The group of kinds of that name. Raises InvalidInput for another text."""
    if not text:
        return None
    try:
        return msgspec.convert(text, Group)  # type: ignore[no-any-return]
    except msgspec.ValidationError:
        raise InvalidInput(f"kind must be one of {', '.join(activity.GROUPS)}") from None
