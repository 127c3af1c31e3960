"""What people change of their own account."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from nod.actions import accounts, profile, sessions
from nod.actions.profile import ProfileFields
from nod.domain.errors import Conflict, InvalidInput, NotAuthenticated
from nod.domain.model import User
from support.world import World, open_world


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with open_world(tmp_path) as opened:
        yield opened


async def update(world: World, **fields: str) -> User:
    given = ProfileFields(**fields)  # type: ignore[arg-type]
    return await world.store.write(lambda tx: profile.update_profile(tx, world.owner, given))


async def test_what_is_given_changes_and_the_rest_stays(world: World) -> None:
    changed = await update(world, name=" Anne ", timezone="Europe/Berlin")
    assert (changed.name, changed.timezone, changed.locale) == ("Anne", "Europe/Berlin", "en_GB")
    again = await update(world, locale="de-DE", theme="dark")
    assert again == replace(changed, locale="de_DE", theme="dark")
    assert await world.store.read(lambda tx: tx.people.user(world.owner.id)) == again


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"name": "x" * 201}, "name has 201"),
        ({"timezone": "Mars/Olympus"}, "Mars"),
        ({"locale": "xx_YY"}, "locale must be"),
        ({"locale": "../etc"}, "locale must be"),
        ({"locale": ""}, "locale must be"),
    ],
)
async def test_what_cannot_be_is_refused(world: World, fields: dict[str, str], says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        await update(world, **fields)


async def test_another_password_signs_all_browsers_out_and_ends_the_tokens(
    world: World,
) -> None:
    there = await world.store.write(lambda tx: sessions.open_session(tx, world.owner, ""))
    before = accounts.Token(world.owner.id, world.clock.now())
    world.clock.advance(0.001)
    changed = await world.store.write(
        lambda tx: profile.change_password(tx, world.owner, "another hash")
    )
    assert changed.password_hash == "another hash"
    with pytest.raises(NotAuthenticated):
        await world.store.read(lambda tx: sessions.find_session(tx, there.token))
    with pytest.raises(NotAuthenticated):
        accounts.check_token(before, changed)
    accounts.check_token(accounts.Token(changed.id, world.clock.now()), changed)


async def test_of_two_changes_at_once_that_were_checked_with_one_password_one_stands(
    world: World,
) -> None:
    await world.store.write(lambda tx: profile.change_password(tx, world.owner, "first"))
    with pytest.raises(Conflict):
        await world.store.write(lambda tx: profile.change_password(tx, world.owner, "second"))


async def test_an_account_that_is_gone_changes_nothing(world: World) -> None:
    gone = replace(world.owner, id="usr_gone")
    with pytest.raises(NotAuthenticated, match="gone"):
        await world.store.write(lambda tx: profile.update_profile(tx, gone, ProfileFields()))
