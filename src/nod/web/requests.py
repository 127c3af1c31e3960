"""Requests: what waits for the person, by deadline; and who decided what and when."""

from dataclasses import dataclass
from typing import Any

import msgspec
from litestar import Response, get, post
from litestar.datastructures import FormMultiDict
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery

from nod.actions import answers, decisions
from nod.domain.decisions import Answer, Verdict
from nod.domain.errors import InvalidInput
from nod.domain.model import Agent, Decision
from nod.store.chat import LAST_ID
from nod.store.store import Tx
from nod.web.cards import Card, make_card
from nod.web.view import Viewer

_UNDO_S = 10
_HISTORY = 50


@dataclass(frozen=True, slots=True)
class Requests:
    """What the page shows. `earlier` is the id below which older ones are; None: no more."""

    open: tuple[Card, ...]
    history: tuple[Card, ...]
    earlier: str | None


@get("/requests")
async def overview(
    viewer: NamedDependency[Viewer], before: FromQuery[str | None] = None
) -> Response[bytes]:
    """All that waits, what expires first first, then the answers, the newest first."""

    async def look(tx: Tx) -> Requests:
        agents = {each.id: each for each in await tx.people.agents_of(viewer.user.id)}
        waiting = [each for id_ in agents for each in await tx.chat.waiting_decisions(id_)]
        waiting.sort(key=lambda each: (each.expires_at, each.id))
        found = await decisions.list_decisions(
            tx, viewer.user, None, _HISTORY + 1, before or LAST_ID
        )
        closed = [each for each in found[:_HISTORY] if each.status != "pending"]
        return Requests(
            tuple(_card(viewer, each, agents[each.agent_id]) for each in waiting),
            tuple(_card(viewer, each, agents[each.agent_id]) for each in closed),
            found[_HISTORY - 1].id if len(found) > _HISTORY else None,
        )

    found = await viewer.nod.store.read(look)
    return await viewer.page("requests/page.html", requests=found, before=before)


@get("/requests/count")
async def count(viewer: NamedDependency[Viewer]) -> Response[bytes]:
    """How many wait, for the navigation."""
    waiting = await viewer.nod.store.read(lambda tx: tx.chat.count_waiting(viewer.user.id))
    return viewer.fragment("requests/count.html", waiting=waiting)


@get("/requests/{decision_id:str}")
async def one(viewer: NamedDependency[Viewer], decision_id: FromPath[str]) -> Response[bytes]:
    """One request: a page of its own, or the card alone for a live update."""

    async def look(tx: Tx) -> Card:
        found = await decisions.get_decision(tx, viewer.user, decision_id)
        return _card(viewer, found, await _agent(tx, found))

    card = await viewer.nod.store.read(look)
    if viewer.part is not None:
        return viewer.fragment("requests/card.html", card=card)
    return await viewer.page("requests/one.html", card=card)


@post("/requests/{decision_id:str}/answer", status_code=200)
async def answer(viewer: NamedDependency[Viewer], decision_id: FromPath[str]) -> Response[bytes]:
    """Answer it. For some seconds the answer can be taken back, and the agent hears nothing."""
    given = _answer(await viewer.request.form())
    vault = viewer.nod.vault

    async def resolve(tx: Tx) -> Card:
        held = await answers.resolve(tx, vault, viewer.user, decision_id, given, _UNDO_S)
        return _card(viewer, held, await _agent(tx, held))

    return _done(viewer, await viewer.nod.store.write(resolve))


@post("/requests/{decision_id:str}/undo", status_code=200)
async def undo(viewer: NamedDependency[Viewer], decision_id: FromPath[str]) -> Response[bytes]:
    """Take the answer back; the request waits again."""

    async def take_back(tx: Tx) -> Card:
        found = await answers.undo(tx, viewer.user, decision_id)
        return _card(viewer, found, await _agent(tx, found))

    return _done(viewer, await viewer.nod.store.write(take_back))


def _done(viewer: Viewer, card: Card) -> Response[bytes]:
    if viewer.part is None:
        return viewer.go(f"/requests/{card.decision.id}")
    return viewer.fragment("requests/card.html", card=card)


def _card(viewer: Viewer, decision: Decision, agent: Agent) -> Card:
    return make_card(decision, agent, viewer.times, viewer.user.email)


async def _agent(tx: Tx, decision: Decision) -> Agent:
    agent = await tx.people.agent(decision.agent_id)
    if agent is None:
        raise LookupError(decision.agent_id)
    return agent


def _answer(form: FormMultiDict) -> Answer:
    """What the form says. Which button was pressed says it, so that it needs no script."""
    pattern = _field(form, "always_allow_pattern")
    if pattern is not None:
        note = _field(form, "note") or None
        return Answer("approved", note, always_allow=True, always_allow_pattern=pattern or None)
    try:
        status = msgspec.convert(_field(form, "status") or "", Verdict)
    except msgspec.ValidationError as error:
        raise InvalidInput("choose one of the answers on the card") from error
    return Answer(status, _field(form, "note") or None, _field(form, "option") or None)


def _field(form: FormMultiDict, name: str) -> str | None:
    """The text of a field; None where the form has none of that name."""
    value: Any = form.get(name)
    return value if isinstance(value, str) else None


routes = [overview, count, one, answer, undo]
