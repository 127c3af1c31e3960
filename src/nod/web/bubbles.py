"""Messages as bubbles: each with the run, the request or the words it belongs to."""

from dataclasses import dataclass

from nod.domain.instant import Instant
from nod.domain.model import Conversation, Decision, Event, Message, Run, Task
from nod.store.chat import NEWEST, Shown
from nod.store.store import Tx


@dataclass(frozen=True, slots=True)
class Bubble:
    """One message and what stands behind it."""

    message: Message
    run: Run | None  # of a task's bubble
    task: Task | None
    decision: Decision | None  # of a request's card
    reply_to: Message | None
    event: Event | None  # by which a person's message goes to the agent
    pictures: tuple[Shown, ...]
    answered_at: Instant | None  # what a person said

    @property
    def is_unanswered(self) -> bool:
        """The person said it, and the agent has not said anything since."""
        return self.message.author == "user" and self.answered_at is None


@dataclass(frozen=True, slots=True)
class Block:
    """Some messages in a row, the oldest first, and where the ones before them are."""

    bubbles: tuple[Bubble, ...]
    more: bool  # there are older ones
    earlier: Message | None = None  # the one just before the first

    @property
    def first_seq(self) -> int:
        return self.bubbles[0].message.seq if self.bubbles else 0

    @property
    def last_seq(self) -> int:
        return self.bubbles[-1].message.seq if self.bubbles else 0

    @property
    def topics(self) -> str:
        """What it is whose changes change this block: its runs and requests; and its agent, as
        long as that owes an answer."""
        found = [each.message.run_id or each.message.decision_id for each in self.bubbles]
        owing = {each.message.agent_id for each in self.bubbles if each.is_unanswered}
        return " ".join([*(each for each in found if each), *owing])


async def load_block(
    tx: Tx, where: Conversation, size: int, *, before: int = NEWEST, first: int = 0
) -> Block:
    """At most `size` messages below the seq `before`, none of them below `first`."""
    found = await tx.chat.messages(where.id, size + 1, before)
    wanted = [each for each in found[:size] if each.seq >= first]
    bubbles = [await _bubble(tx, each) for each in reversed(wanted)]
    earlier = found[len(wanted)] if len(found) > len(wanted) else None
    return Block(tuple(bubbles), len(found) > size, earlier)


async def end_of_block(tx: Tx, where: Conversation, after: int, size: int) -> int:
    """Below which seq the block ends that has the `size` messages after the seq `after`; NEWEST
    where there are no more than that."""
    later = await tx.chat.messages_after(where.id, after, size + 1)
    return later[size].seq if len(later) > size else NEWEST


async def _bubble(tx: Tx, message: Message) -> Bubble:
    run = task = decision = reply_to = event = answered_at = None
    if message.kind == "task" and message.run_id is not None:
        run = await tx.runs.get(message.run_id)
        task = None if run is None else await tx.tasks.get(run.task_id)
    if message.decision_id is not None:
        decision = await tx.chat.decision(message.decision_id)
    if message.reply_to_id is not None:
        reply_to = await tx.chat.message(message.reply_to_id)
    if message.event_id is not None:
        event = await tx.events.get(message.event_id)
        answered_at = await tx.chat.answered_at(message)
    pictures: tuple[Shown, ...] = ()
    if message.image_id is not None:
        pictures = tuple(await tx.chat.pictures(message.id))
    return Bubble(message, run, task, decision, reply_to, event, pictures, answered_at)
