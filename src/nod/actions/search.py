"""Looking for words in everything of a person: names of tasks, messages, what runs brought.

Tasks come first, then messages and results together, the newest first. A run is found once, by its
bubble, which has the words of its output too.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from nod.actions.agents import get_agent
from nod.domain.errors import InvalidInput
from nod.domain.instant import Instant
from nod.domain.model import Agent, Message, Run, Task, User
from nod.domain.search import Piece, has_words, snippet, typed_words, words_of
from nod.store.chat import NEWEST
from nod.store.store import Tx

_SNIPPET_CHARS = 200

FoundKind = Literal["task", "result", "message"]


class From(NamedTuple):
    """Where a page of what was found begins: after so many tasks, and below a message."""

    tasks: int = 0
    before: int = NEWEST


@dataclass(frozen=True, slots=True)
class Found:
    """One thing that has the words. `message` is that of a result too; `next` begins after it."""

    kind: FoundKind
    agent: Agent
    at: Instant
    pieces: tuple[Piece, ...]
    next: From
    message: Message | None = None
    run: Run | None = None
    task: Task | None = None


async def search(
    tx: Tx, user: User, text: str, agent_id: str | None, limit: int, start: From
) -> list[Found]:
    """What of the person has all the words of `text`: of all agents, or of one.

    Nothing is found by a text without a word. Raises NotFound for somebody else's agent.
    """
    agents = await _agents(tx, user, agent_id)
    words = words_of(text, tx.limits.search_words)
    if not words or not agents:
        return []
    found = await _tasks(tx, agents, words, limit, start)
    typed = typed_words(text, tx.limits.search_words)
    messages = await tx.search.messages(typed, list(agents), limit - len(found), start.before)
    return found + [await _message(tx, agents, words, each) for each in messages]


async def _agents(tx: Tx, user: User, agent_id: str | None) -> dict[str, Agent]:
    if agent_id is not None:
        return {agent_id: await get_agent(tx, user, agent_id)}
    return {each.id: each for each in await tx.people.agents_of(user.id)}


async def _tasks(
    tx: Tx, agents: dict[str, Agent], words: Sequence[str], limit: int, start: From
) -> list[Found]:
    """Those whose names have the words, after the first ones that were shown already."""
    if start.before < NEWEST:
        return []
    ids: list[str] = []
    room = tx.limits.search_tasks
    for agent_id in agents:
        names = await tx.tasks.names_of(agent_id, room)
        ids += [each.id for each in names if has_words(each.name, words)]
        room -= len(names)
    wanted = list(enumerate(ids, start=1))[start.tasks : start.tasks + limit]
    return [await _task(tx, agents, words, task_id, number) for number, task_id in wanted]


async def _task(
    tx: Tx, agents: dict[str, Agent], words: Sequence[str], task_id: str, number: int
) -> Found:
    task = await tx.tasks.get(task_id)
    if task is None:
        raise LookupError(task_id)
    pieces = snippet(task.name, words, tx.limits.name_chars)
    agent = agents[task.agent_id]
    return Found("task", agent, task.created_at, pieces, From(tasks=number), task=task)


async def _message(
    tx: Tx, agents: dict[str, Agent], words: Sequence[str], message: Message
) -> Found:
    run = task = output = None
    if message.kind == "task" and message.run_id is not None:
        run = await tx.runs.get(message.run_id)
    if run is not None:
        task = await tx.tasks.get(run.task_id)
        output = await tx.runs.output(run.id)
    # An output often begins with the words of its summary.
    text = None if output and message.text in output else message.text
    texts = (message.title, message.description, text, output)
    return Found(
        "message" if run is None else "result",
        agents[message.agent_id],
        message.created_at,
        snippet("\n".join(filter(None, texts)), words, _SNIPPET_CHARS),
        From(before=message.seq),
        message,
        run,
        task,
    )


def write_cursor(place: From) -> str:
    """Where the page after this one begins."""
    return f"t{place.tasks}" if place.before == NEWEST else str(place.before)


def read_cursor(cursor: str | None) -> From:
    """The place that the page before ended with. Raises InvalidInput."""
    if not cursor:
        return From()
    number = cursor.removeprefix("t")
    if not (number.isascii() and number.isdigit() and len(number) < 19):
        raise InvalidInput("cursor must be taken from the Link header of the page before")
    return From(before=int(number)) if number == cursor else From(tasks=int(number))
