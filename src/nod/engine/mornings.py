"""The morning: what happened in a person's night, in one card, made without a model."""

from collections import defaultdict

from nod.domain import notify
from nod.domain.instant import DAY, MINUTE, Instant
from nod.domain.model import Notice
from nod.domain.quiet import morning_after, night_before
from nod.engine.batches import Item, Work
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
    held = await tx.notify.held(user.id, over)
    if over == _NEVER and not held:
        return
    since = night_before(user, at)
    runs = await tx.notify.ended_runs(user.id, since, at, since - DAY)
    by_agent: dict[str, list[notify.NightRun]] = defaultdict(list)
    for run in runs:
        by_agent[run.agent_id].append(run)
    await tx.notify.summed_up(user.id, over, tx.now)
    text = notify.morning_text(runs, _messages(held), _news(held))
    if not text:
        return
    path = notify.HOME
    if len(by_agent) == 1:
        path = f"/chats/{(await tx.chat.default_conversation(runs[0].agent_id)).id}"
    card = notify.morning_card(user, text, path, at, tx.now)
    if not await tx.notify.add(card):
        return
    for agent_id, theirs in by_agent.items():
        await _show(tx, agent_id, notify.morning_text(theirs, 0, []))
    tx.effects.timer("notify", tx.now)
    tx.effects.fact("notice", user_id=user.id, notice_id=card.id, kind=card.kind)


async def _show(tx: Tx, agent_id: str, text: str) -> None:
    await tx.chat.add_activity(agent_id, "morning", "The night", text, None, None, tx.now)
    said = await tx.chat.add_notice(agent_id, f"The night: {text}.", tx.now)
    tx.effects.fact("message", agent_id=agent_id, conversation_id=said.conversation_id)
    tx.effects.change(said.conversation_id)


def _messages(held: list[Notice]) -> int:
    return sum(each.kind == "message" for each in held)


def _news(held: list[Notice]) -> list[str]:
    """What the runs do not tell of."""
    return [each.title for each in held if each.kind in ("health", "request")]


MORNINGS = Work("morning", _due, _sum_up_all, _BATCH)
