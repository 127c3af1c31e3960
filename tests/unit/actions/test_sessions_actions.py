"""Browsers that are signed in: their cookies, and when they end."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from nod.actions import accounts, sessions
from nod.actions.sessions import SignedIn
from nod.domain.errors import NotAuthenticated, NotFound
from nod.domain.model import User
from support.databases import stored
from support.world import World, open_world

DAY_S = 86_400
CHROME = "Mozilla/5.0 (Linux; Android 14) Chrome/130.0 Mobile Safari/537.36"


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with open_world(tmp_path) as opened:
        yield opened


async def sign_in(world: World, user: User | None = None) -> SignedIn:
    who = user or world.owner
    return await world.store.write(lambda tx: sessions.open_session(tx, who, CHROME))


async def find(world: World, token: str) -> SignedIn:
    return await world.store.read(lambda tx: sessions.find_session(tx, token))


async def renew(world: World, token: str) -> SignedIn:
    return await world.store.write(lambda tx: sessions.renew_session(tx, token, "Firefox"))


async def is_out(world: World, token: str) -> bool:
    try:
        await find(world, token)
    except NotAuthenticated:
        return True
    return False


async def use_daily(world: World, token: str, days: int) -> str:
    """Visit once a day; the cookie after that."""
    for _ in range(days):
        world.clock.advance(DAY_S)
        token = (await renew(world, token)).token
    return token


async def test_each_sign_in_has_a_cookie_of_its_own(world: World) -> None:
    first, second = await sign_in(world), await sign_in(world)
    assert first.token != second.token
    assert len(first.token) >= 43  # 256 bits
    assert (await find(world, first.token)).session.id == first.session.id
    assert first.session.browser == "Chrome on Android"


async def test_the_database_knows_no_cookie(world: World, tmp_path: Path) -> None:
    made = await sign_in(world)
    assert made.token not in repr(made.session)
    found = await stored(tmp_path)
    assert made.session.id in found
    assert made.token not in found


@pytest.mark.parametrize("token", ["", "guess", "\udcff"])
async def test_no_other_cookie_is_taken(world: World, token: str) -> None:
    await sign_in(world)
    with pytest.raises(NotAuthenticated, match="sign in"):
        await find(world, token)


async def test_the_cookie_changes_after_a_day_of_use(world: World) -> None:
    made = await sign_in(world)
    world.clock.advance(DAY_S - 1)
    assert (await renew(world, made.token)).token == made.token
    world.clock.advance(1)
    found = await find(world, made.token)
    assert sessions.is_due(found, world.clock.now(), world.limits)
    rotated = await renew(world, made.token)
    assert rotated.token != made.token
    assert (await find(world, rotated.token)).session == rotated.session


async def test_the_former_cookie_works_for_a_minute(world: World) -> None:
    made = await sign_in(world)
    world.clock.advance(DAY_S)
    rotated = await renew(world, made.token)
    # A request that was under way gets no third cookie, which would end the second.
    assert (await renew(world, made.token)).token == made.token
    world.clock.advance(59)
    assert not await is_out(world, made.token)
    world.clock.advance(1)
    assert await is_out(world, made.token)
    assert not await is_out(world, rotated.token)


async def test_a_use_is_written_every_few_minutes(world: World) -> None:
    made = await sign_in(world)
    assert not sessions.is_due(made, world.clock.now(), world.limits)
    world.clock.advance(world.limits.session_seen_s)
    assert sessions.is_due(made, world.clock.now(), world.limits)
    seen = (await renew(world, made.token)).session
    assert (seen.seen_at, seen.browser) == (world.clock.now(), "Firefox")
    assert await world.store.read(lambda tx: sessions.list_sessions(tx, world.owner)) == [seen]


async def test_the_browser_used_last_is_listed_first(world: World) -> None:
    older = await sign_in(world)
    world.clock.advance(world.limits.session_seen_s)
    newer = await sign_in(world)

    async def listed() -> list[str]:
        found = await world.store.read(lambda tx: sessions.list_sessions(tx, world.owner))
        return [each.id for each in found]

    assert await listed() == [newer.session.id, older.session.id]
    world.clock.advance(world.limits.session_seen_s)
    await renew(world, older.token)
    assert await listed() == [older.session.id, newer.session.id]


async def test_a_browser_unused_for_thirty_days_is_signed_out(world: World) -> None:
    made = await sign_in(world)
    token = await use_daily(world, made.token, 20)
    world.clock.advance(30 * DAY_S - 1)
    assert not await is_out(world, token)
    world.clock.advance(1)
    assert await is_out(world, token)
    assert await world.store.read(lambda tx: sessions.list_sessions(tx, world.owner)) == []


async def test_a_browser_signs_in_again_after_ninety_days(world: World) -> None:
    token = await use_daily(world, (await sign_in(world)).token, 89)
    world.clock.advance(DAY_S - 1)
    assert not await is_out(world, token)
    world.clock.advance(1)
    assert await is_out(world, token)


async def test_what_has_ended_is_removed_at_the_next_sign_in(world: World) -> None:
    old = await sign_in(world)
    world.clock.advance(31 * DAY_S)
    await sign_in(world)
    with pytest.raises(NotFound):
        await world.store.write(lambda tx: sessions.close_session(tx, world.owner, old.session.id))


async def test_one_browser_is_signed_out(world: World) -> None:
    first, second = await sign_in(world), await sign_in(world)
    await world.store.write(lambda tx: sessions.close_session(tx, world.owner, first.session.id))
    assert await is_out(world, first.token)
    assert not await is_out(world, second.token)


async def test_nobody_signs_somebody_else_out(world: World) -> None:
    made = await sign_in(world)
    eve = await world.store.write(lambda tx: accounts.create_user(tx, "eve@example.org", "x"))
    with pytest.raises(NotFound):
        await world.store.write(lambda tx: sessions.close_session(tx, eve, made.session.id))
    await world.store.write(lambda tx: sessions.sign_out_everywhere(tx, eve))
    assert not await is_out(world, made.token)


async def test_signing_out_everywhere_may_leave_the_browser_it_is_done_in(world: World) -> None:
    first, second = await sign_in(world), await sign_in(world)
    count = await world.store.write(
        lambda tx: sessions.sign_out_everywhere(tx, world.owner, but=second.session.id)
    )
    assert count == 1
    assert await is_out(world, first.token)
    found = await find(world, second.token)
    assert found.user.tokens_from == world.clock.now()
    await world.store.write(lambda tx: sessions.sign_out_everywhere(tx, world.owner))
    assert await is_out(world, second.token)


async def test_a_password_changed_while_it_is_checked_opens_no_session(world: World) -> None:
    checked = replace(world.owner, password_hash="the one before")
    with pytest.raises(NotAuthenticated, match="just been changed"):
        await sign_in(world, checked)
