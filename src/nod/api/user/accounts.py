"""Logging in, who one is, and what one changes of one's account."""

import asyncio
from typing import Any

import msgspec
from litestar import Controller, Request, Response, delete, get, patch, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from nod.actions import accounts, profile, sessions
from nod.actions.profile import ProfileFields
from nod.api.auth import Connection, require_user
from nod.api.user.views import SessionView, TokenView, UserView, session_view, user_view
from nod.app import Nod
from nod.domain.errors import Forbidden, NotAuthenticated
from nod.domain.instant import Instant, rfc3339
from nod.domain.model import User

AnyRequest = Request[Any, Any, Any]


class LoginFields(msgspec.Struct):
    """A person's e-mail address and password."""

    email: str
    password: str


class PasswordFields(msgspec.Struct):
    """The present password, and the one that takes its place."""

    current_password: str
    new_password: str


class Login(Controller):
    """The one call that needs no token."""

    path = "/api/auth"
    tags = ("People",)

    @post("/login", status_code=200)
    async def login(
        self, nod: NamedDependency[Nod], request: AnyRequest, data: JSONBody[LoginFields]
    ) -> Response[TokenView]:
        """A token for a week. Ten wrong passwords in 15 minutes close the account for a while."""
        began = nod.clock.now()
        user = await check_password(nod, data.email, data.password, host_of(request))
        if user is None:
            raise NotAuthenticated("there is no account with this e-mail address and password")
        return _token(nod, user, began)


async def check_password(nod: Nod, email: str, password: str, host: str | None) -> User | None:
    """The person, if it is their password. Raises TooMany after too many failures."""
    user = await nod.store.write(lambda tx: accounts.begin_login(tx, email, host))
    right = await asyncio.to_thread(accounts.password_is, user, password)
    await nod.store.write(lambda tx: accounts.end_login(tx, email, right=right))
    return user if right else None


def host_of(connection: Connection) -> str | None:
    """The caller's IP address; behind a trusted proxy the one that the proxy names."""
    return None if connection.client is None else connection.client.host


def _token(nod: Nod, user: User, now: Instant) -> Response[TokenView]:
    token, ends = accounts.make_token(user, nod.vault.derive(accounts.JWT_PURPOSE), now, nod.limits)
    view = TokenView(token, "bearer", rfc3339(ends), user_view(user))
    return Response(view, headers={"Cache-Control": "no-store"})


class Me(Controller):
    """The person who is calling."""

    path = "/api/me"
    tags = ("People",)
    guards = (require_user,)

    @get()
    async def me(self, user: NamedDependency[User]) -> UserView:
        """Who the token belongs to."""
        return user_view(user)

    @patch()
    async def update_me(
        self,
        nod: NamedDependency[Nod],
        user: NamedDependency[User],
        data: JSONBody[ProfileFields],
    ) -> UserView:
        """Change name, timezone, locale or theme."""
        return user_view(await nod.store.write(lambda tx: profile.update_profile(tx, user, data)))

    @patch("/password")
    async def change_password(
        self,
        nod: NamedDependency[Nod],
        user: NamedDependency[User],
        request: AnyRequest,
        data: JSONBody[PasswordFields],
    ) -> Response[TokenView]:
        """Another password. All browsers are signed out and all tokens end; here is a new one."""
        known = await check_password(nod, user.email, data.current_password, host_of(request))
        if known is None:
            raise Forbidden("current_password is not your password; try again")
        hashed = await asyncio.to_thread(accounts.hash_password, data.new_password, nod.limits)
        changed = await nod.store.write(lambda tx: profile.change_password(tx, known, hashed))
        return _token(nod, changed, changed.tokens_from)

    @get("/sessions")
    async def list_sessions(
        self, nod: NamedDependency[Nod], user: NamedDependency[User]
    ) -> list[SessionView]:
        """The browsers in which the person is signed in, the one used last first."""
        found = await nod.store.read(lambda tx: sessions.list_sessions(tx, user))
        return [session_view(each) for each in found]

    @delete("/sessions", status_code=204)
    async def sign_out_everywhere(
        self, nod: NamedDependency[Nod], user: NamedDependency[User]
    ) -> None:
        """Sign all browsers out and end all tokens, this one too."""
        await nod.store.write(lambda tx: sessions.sign_out_everywhere(tx, user))

    @delete("/sessions/{session_id:str}", status_code=204)
    async def close_session(
        self,
        nod: NamedDependency[Nod],
        user: NamedDependency[User],
        session_id: FromPath[str],
    ) -> None:
        """Sign one browser out."""
        await nod.store.write(lambda tx: sessions.close_session(tx, user, session_id))
