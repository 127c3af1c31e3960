"""Making agents, knowing them by their secrets, changing and removing them."""

import hashlib
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest

from nod.actions import agents, chat, decisions
from nod.actions.agents import AgentChanges, Credentials
from nod.actions.chat import UserMessageFields
from nod.actions.decisions import DecisionFields
from nod.api.user.views import AgentView, agent_fields
from nod.delivery.address_guard import AddressGuard, Refused
from nod.delivery.signing import webhook_key, webhook_secret
from nod.domain.errors import InvalidInput, NotAuthenticated, NotFound
from nod.domain.model import Agent
from nod.engine.attempts import hand_out_triggers
from nod.engine.fire import run_now
from nod.store.people import Seen
from nod.store.store import Tx
from support.steps import called
from support.world import World, open_world

GUARD = AddressGuard([])
DAY_S = 86_400


async def make(world: World, name: str = "Bob", **given: str) -> Credentials:
    return await world.store.write(
        lambda tx: agents.create_agent(tx, world.vault, GUARD, world.owner, name, **given)
    )


async def known(world: World, agent_id: str, secret: str) -> Agent:
    return await world.store.read(lambda tx: agents.authenticate(tx, agent_id, secret))


async def rotate(world: World, agent: Agent) -> Credentials:
    return await world.store.write(lambda tx: agents.rotate_secret(tx, world.vault, agent))


async def change(world: World, **fields: Any) -> Agent:
    changes = AgentChanges(frozenset(fields), **fields)
    agent = await fresh(world)
    return await world.store.write(lambda tx: agents.update_agent(tx, GUARD, agent, changes))


async def fresh(world: World) -> Agent:
    found = await world.store.read(lambda tx: tx.people.agent(world.agent.id))
    assert found is not None
    return found


async def test_a_new_agent_is_known_by_its_secret_of_which_only_a_hash_is_kept(
    tmp_path: Path,
) -> None:
    async with open_world(tmp_path) as world:
        made = await make(world, timezone="Europe/Berlin", kind="approval_only")
        assert made.agent.id.startswith("agt_")
        assert len(made.agent.id) == 4 + 16
        assert made.secret.startswith("nod_")
        assert len(made.secret) == 4 + 40
        assert made.agent.secret_hash == hashlib.sha256(made.secret.encode()).hexdigest()
        assert await known(world, made.agent.id, made.secret) == made.agent
        with pytest.raises(NotAuthenticated, match="rotate-secret"):
            await known(world, made.agent.id, made.secret + "0")
        with pytest.raises(NotFound):
            await known(world, "agt_0000", made.secret)


async def test_an_agent_can_make_its_signing_key_from_its_secret(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        made = await make(world)
        assert made.webhook_secret == webhook_secret(webhook_key(made.secret))
        assert world.vault.open(made.agent.webhook_key) == webhook_key(made.secret)


async def test_an_agent_has_a_conversation_from_the_start(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        made = await make(world)
        where = await world.store.read(lambda tx: tx.chat.default_conversation(made.agent.id))
        assert where.title == "Bob"
        with pytest.raises(LookupError):
            await world.store.read(lambda tx: tx.chat.default_conversation("agt_0000"))


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"name": "  "}, "name is missing"),
        ({"name": "x" * 201}, "at most 200"),
        ({"name": "a\0b"}, "NUL"),
        ({"name": "Bob", "kind": "robot"}, "interactive or approval_only"),
        ({"name": "Bob", "timezone": "Mars/Base"}, "IANA"),
        ({"name": "Bob", "webhook_url": "ftp://example.org"}, "https://"),
    ],
)
async def test_a_field_that_cannot_be_says_so(
    tmp_path: Path, given: dict[str, str], says: str
) -> None:
    async with open_world(tmp_path) as world:
        with pytest.raises(InvalidInput, match=says):
            await make(world, **given)


async def test_after_a_rotation_both_secrets_work_for_a_day(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        made = await rotate(world, world.agent)
        assert made.secret != world.secret
        assert (await known(world, world.agent.id, world.secret)).id == world.agent.id
        assert (await known(world, world.agent.id, made.secret)).id == world.agent.id
        world.clock.advance(DAY_S)
        with pytest.raises(NotAuthenticated):
            await known(world, world.agent.id, world.secret)
        assert (await known(world, world.agent.id, made.secret)).id == world.agent.id


async def test_the_old_key_signs_until_the_agent_shows_its_new_secret(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        made = await rotate(world, world.agent)
        agent = await known(world, world.agent.id, world.secret)
        assert agent.old_secret_in_use
        assert agent.old_webhook_key == world.agent.webhook_key
        assert not agents.shows_new_secret(agent, world.secret)
        assert agents.shows_new_secret(agent, made.secret)
        await world.store.write(lambda tx: agents.new_secret_seen(tx, agent.id))
        assert not agents.shows_new_secret(await fresh(world), made.secret)


async def test_name_zone_and_url_can_be_changed_one_by_one(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        await change(world, name="Eve")
        await change(world, timezone="Asia/Tokyo")
        await change(world, webhook_url="https://example.org/hook")
        agent = await fresh(world)
        assert (agent.name, agent.timezone) == ("Eve", "Asia/Tokyo")
        assert agent.webhook_url == "https://example.org/hook"
        cleared = await change(world, timezone=None, webhook_url=None)
        assert (cleared.timezone, cleared.webhook_url) == (None, None)
        assert await fresh(world) == cleared


async def test_a_url_into_our_own_network_is_refused(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        with pytest.raises(Refused, match="NOD_ALLOW_WEBHOOK_NETS"):
            await change(world, webhook_url="http://127.0.0.1/hook")


async def test_setting_the_url_lets_a_disabled_endpoint_try_again(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        agent = await change(world, webhook_url="https://example.org/hook")
        await world.store.write(lambda tx: tx.people.set_webhook_health(agent.id, 1, 2, "410 Gone"))
        assert (await fresh(world)).webhook_disabled == "410 Gone"
        again = await change(world, webhook_url="https://example.org/hook")
        assert (again.webhook_failing_since, again.webhook_disabled) == (None, None)
        assert (await fresh(world)).webhook_told_at is None


async def test_waiting_events_are_tried_when_an_agent_gets_a_webhook(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        task = await world.task()
        run = await world.store.write(lambda tx: run_now(tx, task))
        await change(world, webhook_url="https://example.org/hook")
        (event,) = await world.store.read(lambda tx: tx.events.of_run(run.id))
        assert event.attempt_at == world.clock.now()
        assert "deliver" in world.effects[-1].timers
        await change(world, webhook_url=None)
        (event,) = await world.store.read(lambda tx: tx.events.of_run(run.id))
        assert event.attempt_at is None


async def test_removing_an_agent_ends_everything_it_had(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        task = await world.task()
        first = await world.store.write(lambda tx: run_now(tx, task))
        queued = await world.store.write(lambda tx: run_now(tx, task))
        asked = await world.store.write(
            lambda tx: decisions.open_decision(tx, world.agent, DecisionFields(title="May I?"))
        )
        await world.store.write(lambda tx: agents.remove_agent(tx, world.agent))

        with pytest.raises(NotFound):
            await known(world, world.agent.id, world.secret)
        for run in (first, queued):
            assert (await world.run(run.id)).status == "cancelled"
        ended = await world.get(task)
        assert (ended.enabled, ended.next_fire_at) == (False, None)
        closed = await world.store.read(lambda tx: tx.chat.decision(asked.id))
        assert closed is not None
        assert closed.status == "dismissed"
        assert await world.store.read(lambda tx: tx.people.all_agents()) == []


async def test_what_a_removed_agent_was_still_to_be_told_is_dead_and_says_why(
    tmp_path: Path,
) -> None:
    async with open_world(tmp_path) as world:
        where = await world.store.read(lambda tx: tx.chat.default_conversation(world.agent.id))
        hello = UserMessageFields(text="Hello")
        said = await world.store.write(
            lambda tx: chat.user_message(tx, world.owner, where.id, hello, "")
        )
        calls = await world.task("event", overlap="queue")
        made = [await called(world, calls) for _ in range(2)]
        await world.store.write(lambda tx: hand_out_triggers(tx, world.agent))
        due = await world.store.write(partial(run_now, task=await world.task()))
        await world.store.write(lambda tx: agents.remove_agent(tx, world.agent))
        told = await world.store.read(lambda tx: tx.events.feed(world.agent.id, 0, 100))
        assert {each.event.run_id for each in told} == {None, due.id, *(run.id for run in made)}
        assert said.event_id in {each.event.id for each in told}
        assert {(each.event.state, each.event.error) for each in told} == {
            ("dead", "its agent was removed")
        }
        assert await world.store.read(lambda tx: tx.events.next_attempt_at(0)) is None


async def test_an_agent_removed_a_moment_ago_asks_nothing(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        await world.store.write(lambda tx: agents.remove_agent(tx, world.agent))
        with pytest.raises(NotFound, match="it was removed"):
            await world.store.write(
                lambda tx: decisions.open_decision(tx, world.agent, DecisionFields(title="May I?"))
            )


async def test_an_agent_is_removed_once(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:

        async def remove(tx: Tx) -> bool:
            return await tx.people.remove_agent(world.agent.id, tx.now)

        assert await world.store.write(remove)
        assert not await world.store.write(remove)


async def _touch(seen: Seen, tx: Tx) -> None:
    await tx.people.touch([seen])


async def test_when_an_agent_was_last_seen_only_grows(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        for at in (2_000, 1_000):
            await world.store.write(partial(_touch, Seen(world.agent.id, at)))
        assert (await fresh(world)).last_seen_at == 2_000


async def test_nothing_of_an_agent_that_is_shown_holds_a_secret(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        shown = AgentView(**agent_fields(world.agent, world.clock.now(), connected=False))
        text = msgspec.json.encode(shown).decode()
        assert world.agent.secret_hash not in text
        assert world.agent.webhook_key not in text
