"""Accounts, logins and tokens."""

from dataclasses import replace
from pathlib import Path

import jwt
import pytest

from nod.actions import accounts
from nod.domain.errors import Conflict, InvalidInput, NotAuthenticated, TooMany
from nod.domain.limits import Limits
from nod.domain.model import User
from nod.store.people import UNCLAIMED
from support.clock import MONDAY_9
from support.world import World, open_world

KEY = b"k" * 32
RIGHT = "correct horse"
LIMITS = Limits()


async def add(world: World, email: str, password: str = RIGHT) -> User:
    hashed = accounts.hash_password(password, world.limits)
    return await world.store.write(lambda tx: accounts.create_user(tx, email, hashed, "Ada"))


async def log_in(world: World, email: str, password: str) -> User | None:
    user = await world.store.write(lambda tx: accounts.begin_login(tx, email))
    right = accounts.password_is(user, password)
    await world.store.write(lambda tx: accounts.end_login(tx, email, right=right))
    return user if right else None


async def test_an_account_logs_in_with_its_password_and_no_other(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        ada = await add(world, " Ada@Example.org ")
        assert ada.email == "ada@example.org"
        assert ada.password_hash.startswith("$argon2id$")
        assert await log_in(world, "ADA@example.org", RIGHT) == ada
        assert await log_in(world, "ada@example.org", "wrong horse") is None
        assert await log_in(world, "nobody@example.org", RIGHT) is None


async def test_an_address_has_one_account(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        await add(world, "ada@example.org")
        with pytest.raises(Conflict, match="already an account"):
            await add(world, "ADA@example.org")


@pytest.mark.parametrize("email", ["", "ada", "ada@", "@x", "a b@example.org", "a" * 255 + "@x"])
def test_what_is_no_address_is_refused(email: str) -> None:
    with pytest.raises(InvalidInput, match="e-mail address"):
        accounts.normal_email(email)


@pytest.mark.parametrize("password", ["short", "x" * 1001])
def test_a_password_has_a_length(password: str) -> None:
    with pytest.raises(InvalidInput, match="between 8 and 1000"):
        accounts.hash_password(password, LIMITS)


def test_an_account_without_a_readable_password_lets_nobody_in() -> None:
    broken = User("usr_1", "a@b", "", "no hash", "UTC", 0)
    empty = User("usr_2", "a@c", "", "", "UTC", 0)
    assert not accounts.password_is(broken, "no hash")
    assert not accounts.password_is(empty, "")
    assert not accounts.password_is(None, "nobody's password")
    assert not accounts.password_is(empty, "nobody's password")


async def test_guessing_closes_the_account_for_a_quarter_of_an_hour(tmp_path: Path) -> None:
    async with open_world(tmp_path, Limits(login_attempts=2)) as world:
        await add(world, "ada@example.org")
        for _ in range(2):
            assert await log_in(world, "ada@example.org", "a guess") is None
            world.clock.advance(60)
        with pytest.raises(TooMany, match="too many failed logins") as refused:
            await log_in(world, "ada@example.org", RIGHT)
        assert refused.value.retry_after == 13 * 60
        world.clock.advance(refused.value.retry_after)
        assert await log_in(world, "ada@example.org", RIGHT) is not None


async def test_attempts_made_at_once_are_counted_before_any_is_checked(tmp_path: Path) -> None:
    async with open_world(tmp_path, Limits(login_attempts=2)) as world:
        await add(world, "ada@example.org")
        for _ in range(2):
            await world.store.write(lambda tx: accounts.begin_login(tx, "ada@example.org"))
        with pytest.raises(TooMany):
            await world.store.write(lambda tx: accounts.begin_login(tx, "ada@example.org"))


async def test_one_password_tried_with_many_accounts_closes_the_address(tmp_path: Path) -> None:
    async with open_world(tmp_path, Limits(login_attempts_address=2)) as world:
        begin = accounts.begin_login
        ada = await add(world, "ada@example.org")
        for number in range(2):
            await world.store.write(
                lambda tx, n=number: begin(tx, f"{n}@x", f"2001:db8::{n}")  # type: ignore[misc]
            )
        with pytest.raises(TooMany, match="from your address") as refused:
            await world.store.write(lambda tx: begin(tx, "ada@example.org", "2001:db8::ffff"))
        assert refused.value.retry_after == 15 * 60
        elsewhere = await world.store.write(lambda tx: begin(tx, ada.email, "192.0.2.1"))
        unknown = await world.store.write(lambda tx: begin(tx, ada.email, None))
        assert elsewhere == unknown == ada
        world.clock.advance(15 * 60)
        again = await world.store.write(lambda tx: begin(tx, ada.email, "2001:db8::1"))
        assert again == ada


async def test_a_login_that_succeeds_takes_back_the_failures_before_it(tmp_path: Path) -> None:
    async with open_world(tmp_path, Limits(login_attempts=2)) as world:
        await add(world, "ada@example.org")
        for _ in range(3):
            await log_in(world, "ada@example.org", "a guess")
            assert await log_in(world, "ada@example.org", RIGHT) is not None


async def test_agents_added_before_any_account_belong_to_the_first_one(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        # This world has an account, so the place for the first is made by hand.
        kept = User("usr_kept", UNCLAIMED, "", "", "UTC", MONDAY_9)
        await world.store.write(lambda tx: tx.people.insert_user(kept))
        ada = await add(world, "ada@example.org")
        assert ada.id == "usr_kept"
        assert await world.store.read(lambda tx: tx.people.user("usr_kept")) == ada
        bob = await add(world, "bob@example.org")
        assert bob.id != ada.id


async def test_new_agents_go_to_the_person_named_else_to_the_first(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        world.clock.advance(1)
        ada = await add(world, "ada@example.org")
        owner = accounts.owner_of_new_agents
        named = await world.store.write(lambda tx: owner(tx, "ADA@example.org"))
        first = await world.store.write(lambda tx: owner(tx, None))
        assert (named, first) == (ada, world.owner)
        with pytest.raises(InvalidInput, match="nod users add"):
            await world.store.write(lambda tx: owner(tx, "nobody@example.org"))


async def test_name_zone_and_password_of_an_account_can_be_changed(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        changed = User(world.owner.id, "", "Anne", "hash", "Europe/Berlin", 0)
        await world.store.write(lambda tx: tx.people.update_user(changed))
        found = await world.store.read(lambda tx: tx.people.user(world.owner.id))
        assert found is not None
        assert (found.name, found.timezone, found.email) == (
            "Anne",
            "Europe/Berlin",
            "ann@example.org",
        )


def test_a_token_names_its_person_until_it_ends() -> None:
    user = User("usr_1", "a@b", "", "", "UTC", 0)
    token, ends = accounts.make_token(user, KEY, MONDAY_9, LIMITS)
    assert ends == MONDAY_9 + LIMITS.token_s * 1000
    assert accounts.read_token(token, KEY, ends - 1) == ("usr_1", MONDAY_9)
    with pytest.raises(NotAuthenticated, match="expired"):
        accounts.read_token(token, KEY, ends)


def test_a_token_ends_with_its_account_and_with_what_ends_all_tokens() -> None:
    user = User("usr_1", "a@b", "", "", "UTC", 0)
    known = accounts.Token("usr_1", MONDAY_9)
    assert accounts.check_token(known, replace(user, tokens_from=MONDAY_9)) is not None
    with pytest.raises(NotAuthenticated, match="has been ended"):
        accounts.check_token(known, replace(user, tokens_from=MONDAY_9 + 1))
    with pytest.raises(NotAuthenticated, match="is gone"):
        accounts.check_token(known, None)


def _forged(algorithm: str, key: bytes, **claims: object) -> str:
    return jwt.encode(
        {"iss": "nod", "sub": "usr_1", "exp": MONDAY_9, **claims}, key, algorithm=algorithm
    )


@pytest.mark.parametrize(
    "token",
    [
        "",
        "a.b.c",
        _forged("HS256", b"x" * 32),
        _forged("HS256", KEY, iss="somebody"),
        "eyJhbGciOiJub25lIn0.eyJpc3MiOiJub2QiLCJzdWIiOiJ1c3JfMSIsImV4cCI6OX0.",
        jwt.encode({"iss": "nod", "sub": "usr_1", "iat": 0}, KEY, algorithm="HS256"),
        jwt.encode({"iss": "nod", "exp": MONDAY_9 * 2, "iat": 0}, KEY, algorithm="HS256"),
        _forged("HS256", KEY),
    ],
)
def test_a_token_that_nod_has_not_made_is_worth_nothing(token: str) -> None:
    with pytest.raises(NotAuthenticated, match="not valid"):
        accounts.read_token(token, KEY, 0)
