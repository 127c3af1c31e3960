"""Requests as cards: what one asks for, what may be answered, and how it was answered, in words."""

from dataclasses import dataclass
from itertools import islice

import msgspec
from jinja2 import pass_context
from jinja2.runtime import Context

from nod.actions.rules import AlwaysOption, offered
from nod.domain.callers import ShownCall
from nod.domain.decisions import Answer
from nod.domain.instant import DAY, Instant, parse_rfc3339, rfc3339
from nod.domain.model import Agent, Decision
from nod.domain.schedule import fires, trigger_type
from nod.domain.schedule_preview import zone_words
from nod.domain.task_fields import TaskFields
from nod.domain.words import describe
from nod.engine.looks import call_of
from nod.web.times import Times

_FIRES = 3
# A rule may fire once in some years: on 29 February of a leap year, say.
_HORIZON: Instant = 10 * 366 * DAY

_VERDICTS = {
    "approved": ("ok", "check", "Approved"),
    "rejected": ("", "cross", "Rejected"),
    "responded": ("ok", "check", "Answered"),
    "dismissed": ("", "close", "Closed without an answer"),
    "expired": ("warn", "hourglass", "Expired"),
}
_OWN_WORDS = {
    ("permission", "approved"): "Allowed once",
    ("permission", "rejected"): "Denied",
    ("choice", "responded"): "Chosen",
    ("proposal", "approved"): "Task created",
    ("still_wanted", "approved"): "Run after all",
    ("still_wanted", "rejected"): "Let go",
    ("budget", "approved"): "Goes on today",
    ("budget", "rejected"): "Stopped for today",
    ("quarantine", "approved"): "Run once",
    ("quarantine", "rejected"): "Dropped",
}


@dataclass(frozen=True, slots=True)
class Proposal:
    """The task that approving creates. `when` is its schedule as a sentence."""

    name: str
    prompt: str
    when: str
    fires: tuple[Instant, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """An answer in words, with the chip's look and icon. `by` is who gave it: `you`, an e-mail."""

    look: str
    sign: str
    word: str
    note: str | None
    by: str


@dataclass(frozen=True, slots=True)
class Card:
    """One request as a page shows it. `outcome` is None while it waits for an answer."""

    decision: Decision
    agent: Agent
    options: tuple[str, ...]
    always: tuple[AlwaysOption, ...]  # an empty pattern stands for the very same request
    proposal: Proposal | None
    outcome: Outcome | None
    call: ShownCall | None = None  # that waits for a look

    @property
    def is_held(self) -> bool:
        """Answered, and the agent has not heard of it yet."""
        return self.decision.held_until is not None

    @property
    def expires_at(self) -> str:
        """For `<time>`."""
        return rfc3339(self.decision.expires_at)

    @property
    def held_until(self) -> str:
        """For `<time>`: when the answer can be taken back no longer."""
        return rfc3339(self.decision.held_until or 0)


@pass_context
def cards(context: Context, decision: Decision, agent: Agent) -> Card:
    """For templates: the card as the person who looks sees it."""
    return make_card(decision, agent, context["t"], context["me"].email)


def make_card(decision: Decision, agent: Agent, times: Times, email: str) -> Card:
    """What the card's template needs; `email` is of the person who looks."""
    return Card(
        decision,
        agent,
        tuple(msgspec.json.decode(decision.options, type=list[str])),
        _always(decision),
        _proposal(decision, agent.timezone or times.zone, times),
        outcome(decision, email),
        None if decision.call is None else call_of(decision),
    )


def _always(decision: Decision) -> tuple[AlwaysOption, ...]:
    """What may be allowed for good; nothing for what was asked on a call from outside."""
    if not decision.allows_always or decision.outside:
        return ()
    label = decision.always_allow_label or "this very request"
    return tuple(offered(decision)) or (AlwaysOption("", label),)


def _proposal(decision: Decision, zone: str, times: Times) -> Proposal | None:
    if decision.proposal is None:
        return None
    given = msgspec.json.decode(decision.proposal, type=TaskFields)
    zone = given.timezone if isinstance(given.timezone, str) else zone
    when, upcoming = _when(given, zone, times)
    return Proposal(str(given.name), str(given.prompt), when, upcoming)


def _when(given: TaskFields, zone: str, times: Times) -> tuple[str, tuple[Instant, ...]]:
    schedule = str(given.schedule).strip()
    kind = trigger_type(schedule)
    if kind == "event":
        return "Each time its trigger address is called.", ()
    if kind == "once":
        run_at = parse_rfc3339(str(given.run_at), "run_at")
        return f"Once, {times.at(run_at)}.", ()
    upcoming = fires(schedule, zone, times.now, times.now + _HORIZON)
    return f"{describe(schedule)}, {zone_words(zone)}.", tuple(islice(upcoming, _FIRES))


def outcome(decision: Decision, email: str) -> Outcome | None:
    """The answer in words, also one that is held; None while the question waits."""
    if decision.held_answer is not None:
        held = msgspec.json.decode(decision.held_answer, type=Answer)
        note = held.note or held.option
        return _words(decision, held.status, note, held, _who(decision.held_by, email))
    if decision.status == "pending":
        return None
    by = _who(decision.resolved_by, email)
    return _words(decision, decision.status, decision.note, decision, by)


def _words(
    decision: Decision, status: str, note: str | None, always: Answer | Decision, by: str
) -> Outcome:
    look, sign, word = _VERDICTS[status]
    word = _OWN_WORDS.get((decision.kind, status), word)
    if decision.kind == "quarantine" and always.always_allow:
        word = "Run, and trusted"
    if decision.kind == "permission" and always.always_allow:
        word = "Always allowed"
        labels = {each.pattern: each.label or each.pattern for each in offered(decision)}
        note = note or labels.get(always.always_allow_pattern or "")
    return Outcome(look, sign, word, note, by)


def _who(by: str | None, email: str) -> str:
    """`you`, another person's e-mail, or what it was that decided."""
    named = {email: "you", "rule": "your standing permission", "nod": "Nod"}
    return named.get(by or "nod", by or "Nod")
