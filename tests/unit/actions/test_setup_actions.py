"""The link by which the owner of a new server makes the first account."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from nod.actions import accounts, setup
from nod.domain.errors import Conflict, InvalidInput, NotFound
from nod.domain.limits import Limits
from nod.domain.model import User
from nod.store.effects import Effects
from nod.store.store import Store
from support.clock import FakeClock
from support.databases import stored
from support.world import open_store

CLOCK = FakeClock()


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    """A store in which there is nobody yet."""

    def ignore(_: Effects) -> None:
        pass

    opened = open_store(tmp_path, CLOCK, Limits(), ignore)
    await opened.start()
    yield opened
    await opened.close()


async def link(store: Store) -> str:
    token = await store.write(setup.make_setup_link)
    assert token is not None
    return token


async def use(store: Store, token: str, email: str = "ann@example.org") -> User:
    return await store.write(
        lambda tx: setup.use_setup_link(tx, token, email, "Ann", "hash", "Europe/Berlin")
    )


async def test_the_link_makes_the_first_account_once(store: Store) -> None:
    token = await link(store)
    await store.read(lambda tx: setup.check_setup_link(tx, token))
    ann = await use(store, token)
    assert (ann.email, ann.name, ann.timezone) == ("ann@example.org", "Ann", "Europe/Berlin")
    with pytest.raises(Conflict, match="sign in"):
        await use(store, token, "eve@example.org")
    assert await store.read(lambda tx: tx.people.first_user()) == ann


async def test_a_server_with_an_account_makes_no_link(store: Store) -> None:
    token = await link(store)
    await store.write(lambda tx: accounts.create_user(tx, "ann@example.org", "hash"))
    assert await store.write(setup.make_setup_link) is None
    with pytest.raises(Conflict):
        await store.read(lambda tx: setup.check_setup_link(tx, token))


async def test_a_new_link_ends_the_one_before(store: Store) -> None:
    first, second = await link(store), await link(store)
    with pytest.raises(NotFound, match="nod serve"):
        await use(store, first)
    await use(store, second)


async def test_a_setup_link_works_for_a_day(store: Store) -> None:
    token = await link(store)
    CLOCK.advance(86_399)
    await store.read(lambda tx: setup.check_setup_link(tx, token))
    CLOCK.advance(1)
    with pytest.raises(NotFound):
        await use(store, token)


async def test_a_guessed_link_makes_nothing(store: Store, tmp_path: Path) -> None:
    token = await link(store)
    with pytest.raises(NotFound):
        await use(store, "guess")
    found = await stored(tmp_path)
    assert token not in found


async def test_a_mistake_in_the_form_does_not_use_the_link_up(store: Store) -> None:
    token = await link(store)
    with pytest.raises(InvalidInput, match="e-mail"):
        await use(store, token, "ann")
    await use(store, token)
