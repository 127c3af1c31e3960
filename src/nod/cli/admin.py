"""`nod users` and `nod agents`: for whoever runs the server, straight on its database.

They work while the server runs and while it does not.
"""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import click

from nod.actions import accounts
from nod.actions import agents as agent_actions
from nod.actions.agents import Credentials
from nod.cli.failure import Failure
from nod.cli.output import as_json, moment, show_fields, show_json, show_table
from nod.clock import SystemClock
from nod.config import Settings, load
from nod.delivery.address_guard import AddressGuard
from nod.domain.instant import rfc3339
from nod.domain.model import Agent
from nod.opening import open_database
from nod.secrets import Vault, load_secret_key
from nod.store.store import Store, Tx

T = TypeVar("T")

_FLAGS = (
    click.option("--database-url", help="As the server has it.  [default: the server's]"),
    click.option("--data-dir", help="Where the server keeps its files."),
)


def on_database(command: Any) -> Any:
    """The options that say which server's database is meant."""
    for flag in reversed(_FLAGS):
        command = flag(command)
    return command


def _settings(flags: dict[str, Any]) -> Settings:
    return load(os.environ, flags)


def _vault(settings: Settings) -> Vault:
    return Vault(load_secret_key(settings.secret_key, settings.data_dir))


def _store(settings: Settings) -> Store:
    return Store(open_database(settings, exclusive=False), SystemClock(), settings.limits)


def _write(settings: Settings, work: Callable[[Tx], Awaitable[T]]) -> T:
    """One transaction on the server's database."""

    async def unit(tx: Tx) -> T:
        return await work(tx)

    async def once() -> T:
        store = _store(settings)
        await store.start()
        try:
            return await store.write(unit)
        finally:
            await store.close()

    return asyncio.run(once())


# people


@click.group()
def users() -> None:
    """Accounts of people."""


@users.command("add")
@click.argument("email")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@click.option("--name", default="", help="What agents call the person.")
@click.option("--timezone", default="UTC", help="IANA name, such as Europe/Berlin.")
@on_database
@as_json
def add_user(
    email: str, password_stdin: bool, name: str, timezone: str, json_: bool, **flags: Any
) -> None:
    """Makes an account. Asks for the password, unless it comes on standard input."""
    settings = _settings(flags)
    hashed = accounts.hash_password(_password(password_stdin), settings.limits)
    user = _write(settings, lambda tx: accounts.create_user(tx, email, hashed, name, timezone))
    if json_:
        show_json({"id": user.id, "email": user.email})
        return
    click.echo(f"{user.email} can log in now")


def _password(from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    given: str = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    return given


# agents


@click.group()
def agents() -> None:
    """Agents: add, list, remove, rotate their secrets."""


@agents.command("add")
@click.argument("name")
@click.option("--owner", help="E-mail address of its person.  [default: the first account]")
@click.option(
    "--kind",
    type=click.Choice(["interactive", "approval_only"]),
    default="interactive",
    show_default=True,
)
@click.option("--webhook-url", help="Where its events are sent when no socket is open.")
@click.option(
    "--webhook-format",
    type=click.Choice(["nod", "cloudevents"]),
    default="nod",
    show_default=True,
    help="What is sent there: the event as it is, or as a CloudEvent.",
)
@click.option("--timezone", help="IANA name, such as Europe/Berlin.  [default: its person's]")
@on_database
@as_json
def add_agent(
    name: str,
    owner: str | None,
    kind: str,
    webhook_url: str | None,
    webhook_format: str,
    timezone: str | None,
    json_: bool,
    **flags: Any,
) -> None:
    """Makes an agent and prints its secrets, this once."""
    settings = _settings(flags)
    vault, guard = _vault(settings), AddressGuard(settings.allow_webhook_nets)

    async def make(tx: Tx) -> Credentials:
        person = await accounts.owner_of_new_agents(tx, owner)
        return await agent_actions.create_agent(
            tx, vault, guard, person, name, kind, timezone, webhook_url, webhook_format
        )

    _show_secrets(_write(settings, make), json_)


@agents.command("list")
@on_database
@as_json
def list_agents(json_: bool, **flags: Any) -> None:
    """Lists all agents of all people."""
    found = _write(_settings(flags), lambda tx: tx.people.all_agents())
    if json_:
        show_json([_about(agent) for agent in found])
        return
    rows = [
        [each.id, each.name, each.kind, each.webhook_url or "-", moment(_seen(each))]
        for each in found
    ]
    show_table(["ID", "NAME", "KIND", "WEBHOOK", "SEEN"], rows, "There are no agents.")


@agents.command("rotate-secret")
@click.argument("agent")
@on_database
@as_json
def rotate_secret(agent: str, json_: bool, **flags: Any) -> None:
    """Gives AGENT (its id or name) a new secret; the old one works for 24 hours."""
    settings = _settings(flags)
    vault = _vault(settings)

    async def rotate(tx: Tx) -> Credentials:
        return await agent_actions.rotate_secret(tx, vault, await _named(tx, agent))

    _show_secrets(_write(settings, rotate), json_)


@agents.command("remove")
@click.argument("agent")
@on_database
@as_json
def remove_agent(agent: str, json_: bool, **flags: Any) -> None:
    """Removes AGENT (its id or name): its secret stops, its tasks end, its runs are cancelled."""

    async def remove(tx: Tx) -> Agent:
        found = await _named(tx, agent)
        await agent_actions.remove_agent(tx, found)
        return found

    removed = _write(_settings(flags), remove)
    if json_:
        show_json({"status": "removed", "agent_id": removed.id})
        return
    click.echo(f"{removed.name} ({removed.id}) is removed")


async def _named(tx: Tx, wanted: str) -> Agent:
    """The agent with this id, or the only one with this name."""
    found = await tx.people.agent(wanted)
    if found is not None:
        return found
    same = [each for each in await tx.people.all_agents() if each.name == wanted]
    if not same:
        raise Failure(f"there is no agent {wanted}; `nod agents list` shows them")
    if len(same) > 1:
        ids = ", ".join(each.id for each in same)
        raise Failure(f"several agents are named {wanted}; give the id: {ids}")
    return same[0]


def _about(agent: Agent) -> dict[str, Any]:
    return {
        "agent_id": agent.id,
        "name": agent.name,
        "kind": agent.kind,
        "timezone": agent.timezone,
        "webhook_url": agent.webhook_url,
        "webhook_format": agent.webhook_format,
        "webhook_disabled": agent.webhook_disabled,
        "last_seen_at": _seen(agent),
        "created_at": rfc3339(agent.created_at),
    }


def _seen(agent: Agent) -> str | None:
    return None if agent.last_seen_at is None else rfc3339(agent.last_seen_at)


def _show_secrets(made: Credentials, json_: bool) -> None:
    shown = [
        ("agent_id", made.agent.id),
        ("secret", made.secret),
        ("webhook_secret", made.webhook_secret),
    ]
    if json_:
        show_json(dict(shown))
        return
    show_fields(shown)
    click.echo("The secrets are shown this once; keep them where the agent finds them.", err=True)
