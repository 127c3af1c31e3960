"""Logging in, and who one is."""

import asyncio

import msgspec
from litestar import Controller, Response, get, post
from litestar.di import NamedDependency
from litestar.params import JSONBody

from nod.actions import accounts
from nod.api.auth import require_user
from nod.api.user.views import TokenView, UserView, user_view
from nod.app import Nod
from nod.domain.errors import NotAuthenticated
from nod.domain.instant import rfc3339
from nod.domain.model import User


class LoginFields(msgspec.Struct):
    """A person's e-mail address and password."""

    email: str
    password: str


class Login(Controller):
    """The one call that needs no token."""

    path = "/api/auth"
    tags = ("People",)

    @post("/login", status_code=200)
    async def login(
        self, nod: NamedDependency[Nod], data: JSONBody[LoginFields]
    ) -> Response[TokenView]:
        """A token for a week. Ten wrong passwords in 15 minutes close the account for a while."""
        user = await _checked(nod, data)
        key = nod.vault.derive(accounts.JWT_PURPOSE)
        token, ends = accounts.make_token(user, key, nod.clock.now(), nod.limits)
        view = TokenView(token, "bearer", rfc3339(ends), user_view(user))
        return Response(view, headers={"Cache-Control": "no-store"})


async def _checked(nod: Nod, data: LoginFields) -> User:
    user = await nod.store.write(lambda tx: accounts.begin_login(tx, data.email))
    right = await asyncio.to_thread(accounts.password_is, user, data.password)
    await nod.store.write(lambda tx: accounts.end_login(tx, data.email, right=right))
    if user is None or not right:
        raise NotAuthenticated("there is no account with this e-mail address and password")
    return user


class Me(Controller):
    """The person who is calling."""

    path = "/api/me"
    tags = ("People",)
    guards = (require_user,)

    @get()
    async def me(self, user: NamedDependency[User]) -> UserView:
        """Who the token belongs to."""
        return user_view(user)
