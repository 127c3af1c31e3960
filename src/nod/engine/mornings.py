"""The morning: what happened in a person's night, in one card, made without a model."""

from collections import defaultdict
from dataclasses import replace

from nod.domain import notify
from nod.domain.instant import DAY, MINUTE, Instant
from nod.domain.model import Message, Notice
from nod.domain.quiet import morning_after, night_before
from nod.engine.batches import Item, Work
from nod.store.chat import make_message
from nod.store.notify import Morning
from nod.store.store import Tx

_BATCH = 50
# When a morning has to be found anew, one of the last minutes may not have been told of yet.
_JUST_NOW = 2 * MINUTE
_NEVER: Instant = 1 << 62


async def _due(tx: Tx, limit: int) -> list[Item[Morning]]:
    found = await tx.notify.due_mornings(tx.now, limit)
    return [Item(each.user.id, each.at, each) for each in found]


async def _sum_up_all(tx: Tx, mornings: list[Morning]) -> None:
    for morning in mornings:
        await _look_after(tx, morning)


async def _look_after(tx: Tx, morning: Morning) -> None:
    """Sum the night up when it is over, and find the next morning."""
    user, at = morning.user, morning.at or None
    following = morning_after(user, tx.now)
    if at is None:
        at = morning_after(user, tx.now - _JUST_NOW)
    if at is None:
        # There is no morning any more: what waited for one is told now.
        at = tx.now
    if at <= tx.now:
        await _sum_up(tx, morning._replace(at=at))
    await tx.notify.set_morning(user.id, following)
    tx.effects.timer("notify", following)


async def _sum_up(tx: Tx, morning: Morning) -> None:
    """Put the night into one notice, and into the chat of each agent that had a part in it."""
    user, at = morning
    # Without another morning nothing is to wait for one.
    over = tx.now if morning_after(user, tx.now) is not None else _NEVER
    held = await tx.notify.sum_up(user.id, over, tx.now)
    if over == _NEVER and not held:
        return
    since = night_before(user, at)
    runs = await tx.notify.ended_runs(user.id, since, at, since - DAY)
    by_agent: dict[str, list[notify.NightRun]] = defaultdict(list)
    for run in runs:
        by_agent[run.agent_id].append(run)
    text = notify.morning_text(runs, _messages(held), _news(held))
    if not text:
        return
    said = [await _words(tx, *theirs) for theirs in by_agent.items()]
    card = notify.morning_card(user, text, _path(said), at, tx.now)
    if not await tx.notify.add(card):
        return
    for each in said:
        await _show(tx, each)
    tx.effects.timer("notify", tx.now)
    tx.effects.fact("notice", user_id=user.id, notice_id=card.id, kind=card.kind)


async def _words(tx: Tx, agent_id: str, runs: list[notify.NightRun]) -> Message:
    """What the agent's chat is to show."""
    where = await tx.chat.default_conversation(agent_id)
    return make_message(tx.now, where, "nod", "notice", notify.morning_text(runs, 0, []))


def _path(said: list[Message]) -> str:
    """The bubble in the chat, if there is one chat."""
    if len(said) != 1:
        return notify.ACTIVITY
    return f"/chats/{said[0].conversation_id}#{said[0].id}"


async def _show(tx: Tx, said: Message) -> None:
    text = said.text
    await tx.chat.add_activity(said.agent_id, "morning", "The night", text, None, None, tx.now)
    await tx.chat.add_message(replace(said, text=f"The night: {text}."))
    tx.effects.fact("message", agent_id=said.agent_id, conversation_id=said.conversation_id)
    tx.effects.change(said.conversation_id)


def _messages(held: list[Notice]) -> int:
    return sum(each.kind == "message" for each in held)


def _news(held: list[Notice]) -> list[str]:
    """What the runs do not tell of."""
    return [each.title for each in held if each.kind in ("health", "request")]


MORNINGS = Work("morning", _due, _sum_up_all, _BATCH)
