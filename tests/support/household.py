"""One Nod with two people who know nothing of each other, and the API in front of it."""

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import msgspec

from nod.actions import accounts, agents, chat, decisions, notifications, rules, sessions, tasks
from nod.actions.agents import Credentials
from nod.actions.chat import AlertFields, MessageFields
from nod.actions.decisions import DecisionFields
from nod.app import Nod
from nod.config import load
from nod.delivery.address_guard import AddressGuard
from nod.domain.model import Agent, Delivery, Payload, TrustedSender, User, new_id
from nod.domain.task_fields import TaskFields
from nod.engine.fire import run_now
from nod.engine.outbox import make_event, put
from nod.engine.settle import put_output
from nod.server import Doors
from nod.store.store import Tx
from support.databases import url_with_schema

PNG = b"\x89PNG\r\n\x1a\n" + b"pixels"


@dataclass(frozen=True)
class Person:
    """A person, their client of the API, and their agent."""

    user: User
    http: httpx.AsyncClient
    agent: Agent
    secret: str


@dataclass(frozen=True)
class Household:
    """Ann and Eve, with an agent each. `without_token` is nobody's client."""

    nod: Nod
    doors: Doors
    ann: Person
    eve: Person
    without_token: httpx.AsyncClient

    def as_agent(self, person: Person) -> dict[str, str]:
        """The headers of the person's agent."""
        return {"X-Nod-Agent-Id": person.agent.id, "X-Nod-Secret": person.secret}


@asynccontextmanager
async def open_household(folder: Path, **environ: str) -> AsyncIterator[Household]:
    """A running Nod in `folder`, with Ann and Eve."""
    given = {
        "NOD_PUBLIC_URL": "https://nod.example.org",
        "NOD_DATABASE_URL": url_with_schema(folder),
    }
    nod = Nod(load({**given, **environ}, {"data_dir": folder}))
    await nod.start()
    doors = Doors(nod)
    nobody = _client(doors, {})
    ann, eve = await _person(nod, doors, "ann"), await _person(nod, doors, "eve")
    try:
        yield Household(nod, doors, ann, eve, nobody)
    finally:
        for client in (ann.http, eve.http, nobody):
            await client.aclose()
        await nod.stop()


def _client(doors: Doors, headers: dict[str, str]) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app=doors)  # type: ignore[arg-type]
    return httpx.AsyncClient(transport=transport, base_url="http://nod", headers=headers)


async def _person(nod: Nod, doors: Doors, name: str) -> Person:
    async def make(tx: Tx) -> tuple[User, Credentials]:
        user = await accounts.create_user(tx, f"{name}@example.org", "no password", name.title())
        guard = AddressGuard([])
        return user, await agents.create_agent(tx, nod.vault, guard, user, f"{name}'s agent")

    user, made = await nod.store.write(make)
    key = nod.vault.derive(accounts.JWT_PURPOSE)
    token, _ = accounts.make_token(user, key, nod.clock.now(), nod.limits)
    http = _client(doors, {"Authorization": f"Bearer {token}"})
    return Person(user, http, made.agent, made.secret)


async def furnish(nod: Nod, person: Person) -> dict[str, str]:
    """One of everything for the person's agent; the ids by the names the paths give them."""

    async def make(tx: Tx) -> dict[str, str]:
        agent = person.agent
        # Nobody listens there; what was to go there can be seen all the same.
        target = await notifications.add_apprise(
            tx, nod.vault, person.user, "json://127.0.0.1:9/x", "A closed door"
        )
        quiet = notifications.SettingsFields(quiet_requests=True)
        await notifications.change_settings(tx, person.user, quiet)
        wanted: dict[str, Any] = {"name": "Report", "prompt": "Go.", "schedule": "event"}
        fields = msgspec.convert(wanted, TaskFields)
        task = await tasks.create(tx, nod.vault, agent, fields, "user")
        run = await run_now(tx, task)
        await tx.runs.insert_payload(Payload(run.id, '{"ref":"main"}', '{"source":"github"}'))
        (event,) = await tx.events.of_run(run.id)
        delivery = Delivery(
            new_id("dlv", tx.now),
            event.id,
            agent.id,
            run.id,
            "webhook",
            1,
            "http_error",
            500,
            12,
            "oops",
            "HTTP 500",
            tx.now,
        )
        await tx.events.insert_deliveries([delivery])
        await put_output(tx, agent, run.id, "# All of it")
        picture = base64.b64encode(PNG).decode()
        message = await chat.agent_message(
            tx, agent, MessageFields(text="Hi", image_base64=picture)
        )
        asked = await decisions.open_decision(tx, agent, DecisionFields(title="May I?"))
        await chat.alert(tx, agent, AlertFields(title="Disk full"))
        await put(tx, make_event(tx.now, agent.id, "user_message", {"text": "Are you there?"}))
        allowed = replace(asked, kind="permission", always_allow=True)
        await rules.keep(tx, allowed, person.user.email)
        (rule,) = await rules.list_rules(tx, person.user, agent.id)
        sender = TrustedSender(
            new_id("tru", tx.now),
            task.id,
            "curl at 203.0.113.0/24",
            '{"parts":["$: object"],"whole":true}',
            person.user.email,
            tx.now,
            0,
            None,
        )
        await tx.calls.trust(sender)
        signed_in = await sessions.open_session(tx, person.user, "Firefox")
        return {
            "agent_id": agent.id,
            "task_id": task.id,
            "run_id": run.id,
            "delivery_id": delivery.id,
            "event_id": event.id,
            "conversation_id": message.conversation_id,
            "message_id": message.id,
            "image_id": message.image_id or "",
            "decision_id": asked.id,
            "target_id": target.id,
            "rule_id": rule.id,
            "session_id": signed_in.session.id,
            "sender_id": sender.id,
        }

    return await nod.store.write(make)
