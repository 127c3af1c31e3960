"""Conversations, messages, pictures, decisions and activity in the store."""

from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any, NamedTuple

from nod.domain.decisions import OF_NOD, closed, make_decision
from nod.domain.instant import Instant
from nod.domain.model import (
    Activity,
    Author,
    Conversation,
    Decision,
    Image,
    Message,
    MessageKind,
    Run,
    Task,
    new_id,
)
from nod.store.port import Connection
from nod.store.rows import row

_WRITTEN = tuple(each.name for each in fields(Message) if each.name != "seq")

NEWEST = 1 << 62  # above every seq
LAST_ID = "z"  # above every id


class Report(NamedTuple):
    """What a message may carry beside its text."""

    title: str | None = None
    description: str | None = None
    image_id: str | None = None


class Shown(NamedTuple):
    """A picture of a message without its bytes; its size in pixels where that is known."""

    id: str
    width: int | None
    height: int | None


PLAIN = Report()


def make_message(
    now: Instant,
    conversation: Conversation,
    author: Author,
    kind: MessageKind,
    text: str,
    report: Report = PLAIN,
    *,
    run_id: str | None = None,
    decision_id: str | None = None,
    reply_to_id: str | None = None,
) -> Message:
    """One bubble of a conversation, not stored yet."""
    return Message(
        seq=0,  # the database counts
        id=new_id("msg", now),
        conversation_id=conversation.id,
        agent_id=conversation.agent_id,
        author=author,
        kind=kind,
        text=text,
        title=report.title,
        description=report.description,
        image_id=report.image_id,
        run_id=run_id,
        decision_id=decision_id,
        reply_to_id=reply_to_id,
        event_id=None,
        created_at=now,
        updated_at=now,
    )


def _values(message: Message) -> dict[str, Any]:
    return {name: getattr(message, name) for name in _WRITTEN}


class Chat:
    """The verbs on what people and agents say to each other."""

    __slots__ = ("_db",)

    def __init__(self, db: Connection) -> None:
        self._db = db

    # conversations

    async def insert_conversation(self, conversation: Conversation) -> None:
        await self._db.many("insert_conversation", [row(conversation)])

    async def conversation(self, conversation_id: str) -> Conversation | None:
        found = await self._db.one("conversation", conversation_id=conversation_id)
        return None if found is None else Conversation(*found)

    async def default_conversation(self, agent_id: str) -> Conversation:
        """The conversation that was made with the agent. Raises LookupError for no agent."""
        found = await self._db.one("default_conversation", agent_id=agent_id)
        if found is None:
            raise LookupError(f"no conversation of {agent_id}")
        return Conversation(*found)

    async def conversations_of(self, owner_id: str) -> list[Conversation]:
        """The conversations of a person with all agents, the oldest first."""
        found = await self._db.all("conversations_of_owner", owner_id=owner_id)
        return [Conversation(*each) for each in found]

    # messages

    async def add_message(self, message: Message) -> Message:
        """Store the message; it comes back with its seq."""
        found = await self._db.one("insert_message", **_values(message))
        return message if found is None else replace(message, seq=found[0])

    async def put_bubble(
        self,
        conversation_id: str,
        run: Run,
        text: str,
        now: Instant,
        report: Report = PLAIN,
    ) -> Message:
        """Make or update the one task bubble of a run. An empty text leaves what stands there."""
        where = Conversation(conversation_id, run.agent_id, "", now)
        bubble = make_message(now, where, "agent", "task", text, report, run_id=run.id)
        found = await self._db.one("put_bubble", **_values(bubble))
        return bubble if found is None else Message(*found)

    async def answered_at(self, message: Message) -> Instant | None:
        """When the agent answered what a person said, if it did within the next 50 messages."""
        found = await self._db.one(
            "answered_at", conversation_id=message.conversation_id, seq=message.seq
        )
        return None if found is None else int(found[0])

    async def add_notice(self, agent_id: str, text: str, now: Instant) -> Message:
        """Let Nod itself say something in the agent's conversation."""
        where = await self.default_conversation(agent_id)
        return await self.add_message(make_message(now, where, "nod", "notice", text))

    async def message(self, message_id: str) -> Message | None:
        found = await self._db.one("message", message_id=message_id)
        return None if found is None else Message(*found)

    async def messages(
        self, conversation_id: str, limit: int, before: int = NEWEST
    ) -> list[Message]:
        """Newest first, those with a seq below `before`."""
        found = await self._db.all(
            "messages_of_conversation",
            conversation_id=conversation_id,
            before=before,
            limit=limit,
        )
        return [Message(*each) for each in found]

    async def messages_after(self, conversation_id: str, after: int, limit: int) -> list[Message]:
        """Oldest first, those with a seq above `after`."""
        found = await self._db.all(
            "messages_after", conversation_id=conversation_id, after=after, limit=limit
        )
        return [Message(*each) for each in found]

    async def unread(self, conversation: Conversation, most: int) -> int:
        """How many messages the person has not read and has not written, up to `most`."""
        found = await self._db.one(
            "unread", conversation_id=conversation.id, read_seq=conversation.read_seq, most=most
        )
        return 0 if found is None else int(found[0])

    async def mark_read(self, conversation_id: str, seq: int) -> bool:
        """The person has read up to this message. False: they had already."""
        changed = await self._db.run("mark_read", conversation_id=conversation_id, seq=seq)
        return changed == 1

    async def texts_of_run(self, run_id: str) -> list[str]:
        """What the agent wrote in messages that named the run, the oldest first."""
        return [each[0] for each in await self._db.all("texts_of_run", run_id=run_id)]

    async def insert_image(self, image: Image) -> None:
        await self._db.many("insert_image", [row(image)])

    async def image(self, image_id: str) -> Image | None:
        found = await self._db.one("image", image_id=image_id)
        return None if found is None else Image(*found)

    async def pictures(self, message_id: str) -> list[Shown]:
        """The pictures of a message in their order."""
        found = await self._db.all("pictures_of_message", message_id=message_id)
        return [Shown(*each) for each in found]

    async def attach(self, image_ids: Sequence[str], message_id: str) -> None:
        """These pictures are the message's, in this order, as far as they are in no other."""
        for position, image_id in enumerate(image_ids):
            await self._db.run(
                "attach_image", image_id=image_id, message_id=message_id, position=position
            )

    async def sweep_images(self, before: Instant, limit: int) -> int:
        """Remove pictures in no message that were uploaded before then."""
        return await self._db.run("sweep_images", before=before, limit=limit)

    # decisions

    async def ask(self, decision: Decision) -> Message:
        """Store a question, and the message that shows it in its conversation."""
        await self._db.many("insert_decision", [row(decision)])
        where = Conversation(decision.conversation_id, decision.agent_id, "", decision.created_at)
        message = make_message(
            decision.created_at,
            where,
            "nod" if decision.kind in OF_NOD else "agent",
            "decision",
            decision.title,
            run_id=decision.run_id,
            decision_id=decision.id,
        )
        return await self.add_message(message)

    async def ask_still_wanted(
        self, task: Task, run: Run, now: Instant, expires_in_s: int
    ) -> Decision:
        """Ask the person whether a run that came too late is to be made all the same."""
        where = await self.default_conversation(task.agent_id)
        decision = make_decision(
            now,
            task.agent_id,
            where.id,
            "still_wanted",
            f"{task.name}: still want it?",
            expires_in_s,
            description=f"It did not run: {run.reason or 'its time had passed'}.",
            task_id=task.id,
        )
        await self.ask(decision)
        return decision

    async def decision(self, decision_id: str) -> Decision | None:
        """The question. Whoever writes has it, with the task it is about (`Tasks.get`)."""
        found = await self._db.one("decision", decision_id=decision_id)
        return None if found is None else Decision(*found)

    async def open_decisions(self, run_id: str) -> list[Decision]:
        """The questions of a run that wait for an answer, the oldest first."""
        found = await self._db.all("open_decisions", run_id=run_id)
        return [Decision(*each) for each in found]

    async def waiting_decisions(self, agent_id: str) -> list[Decision]:
        """The agent's questions that wait for an answer, the one that expires next first."""
        found = await self._db.all("waiting_decisions", agent_id=agent_id)
        return [Decision(*each) for each in found]

    async def count_open_decisions(self, agent_id: str) -> tuple[int, Instant | None]:
        """How many questions of the agent wait, and when the next of them expires."""
        found = await self._db.one("count_open_decisions", agent_id=agent_id)
        return (0, None) if found is None else (found[0], found[1])

    async def count_waiting(self, owner_id: str) -> int:
        """How many questions wait for the person. One whose answer is held does not."""
        found = await self._db.one("count_waiting", owner_id=owner_id)
        return 0 if found is None else int(found[0])

    async def count_all_waiting(self) -> int:
        """How many questions wait for any person."""
        found = await self._db.one("count_all_waiting")
        return 0 if found is None else int(found[0])

    async def decisions_of(
        self, owner_id: str, status: str | None, limit: int, before: str = LAST_ID
    ) -> list[Decision]:
        """A person's decisions, newest first, those with an id below `before`."""
        found = await self._db.all(
            "decisions_of_owner", owner_id=owner_id, status=status, before=before, limit=limit
        )
        return [Decision(*each) for each in found]

    async def resolve(self, decision: Decision) -> bool:
        """Write the answer, if the question still waits. False: somebody was faster."""
        changed = await self._db.run(
            "resolve_decision",
            id=decision.id,
            status=decision.status,
            note=decision.note,
            always_allow=decision.always_allow,
            always_allow_pattern=decision.always_allow_pattern,
            resolved_by=decision.resolved_by,
            resolved_at=decision.resolved_at,
            task_id=decision.task_id,
        )
        return changed == 1

    async def dismiss(self, decision: Decision, now: Instant) -> bool:
        """Close a question that has lost its object."""
        return await self.resolve(closed(decision, "dismiss", now))

    async def hold_answer(self, decision: Decision) -> bool:
        """Keep an answer that can still be taken back. False: there is one, or it is closed."""
        changed = await self._db.run(
            "hold_answer",
            id=decision.id,
            held_answer=decision.held_answer,
            held_by=decision.held_by,
            held_until=decision.held_until,
        )
        return changed == 1

    async def drop_answer(self, decision_id: str) -> bool:
        """Forget the answer that was held; the question waits again. False: there is none."""
        return await self._db.run("drop_answer", decision_id=decision_id) == 1

    async def held_due(self, now: Instant, limit: int) -> list[Decision]:
        """Questions whose answer can be taken back no longer, the longest due first."""
        found = await self._db.all("held_due", now=now, limit=limit)
        return [Decision(*each) for each in found]

    async def set_warning(self, decision_id: str, at: Instant | None) -> None:
        await self._db.run("set_warning", decision_id=decision_id, warn_at=at)

    async def decisions_due(self, now: Instant, limit: int) -> list[Decision]:
        """Unanswered questions that expire now or whose person is to be warned now."""
        found = await self._db.all("decisions_due", now=now, limit=limit)
        return [Decision(*each) for each in found]

    async def next_decision_at(self) -> Instant | None:
        """When the next question expires, its person is warned, or its answer is carried out."""
        found = await self._db.one("next_decision_at")
        return None if found is None else found[0]

    # activity

    async def add_activity(
        self,
        agent_id: str,
        kind: str,
        title: str,
        text: str,
        task_id: str | None,
        run_id: str | None,
        now: Instant,
        decision_id: str | None = None,
    ) -> Activity:
        """One line of what happened, for the person."""
        id_ = new_id("act", now)
        line = Activity(0, id_, agent_id, kind, title, text, task_id, run_id, now, decision_id)
        await self._db.many("insert_activity", [row(line)])
        return line

    async def activity_of(
        self,
        agent_id: str,
        limit: int,
        before: tuple[Instant, int] = (NEWEST, NEWEST),
        task_id: str | None = None,
        kinds: Sequence[str] | None = None,
    ) -> list[Activity]:
        """What happened with an agent, newest first, older than `before` (created_at, seq); of one
        task and of some kinds alone where they are given."""
        found = await self._db.all(
            "activity_of_agent",
            agent_id=agent_id,
            at=before[0],
            seq=before[1],
            task_id=task_id,
            kinds=None if kinds is None else f" {' '.join(kinds)} ",
            limit=limit,
        )
        return [Activity(*each) for each in found]

    async def answered_of(
        self, agent_id: str, limit: int, before: tuple[Instant, str], task_id: str | None
    ) -> list[Decision]:
        """The agent's decisions that a person has answered, or whose object was gone, the newest
        answer first, those older than `before` (resolved_at, id)."""
        found = await self._db.all(
            "answered_of_agent",
            agent_id=agent_id,
            at=before[0],
            id=before[1],
            task_id=task_id,
            limit=limit,
        )
        return [Decision(*each) for each in found]

    async def sweep_activity(self, before: Instant, limit: int) -> int:
        return await self._db.run("sweep_activity", before=before, limit=limit)
