"""What people change of their own account."""

from dataclasses import replace

import babel
import msgspec
from msgspec import UNSET, UnsetType

from nod.actions.checks import limited
from nod.actions.sessions import sign_out_everywhere
from nod.domain.errors import Conflict, InvalidInput, NotAuthenticated
from nod.domain.limits import Limits
from nod.domain.model import Theme, User
from nod.domain.zones import check_timezone
from nod.store.store import Tx

_LOCALE_CHARS = 32


class ProfileFields(msgspec.Struct, frozen=True):
    """What to change of an account; what is not there stays. `locale` is how dates are written."""

    name: str | UnsetType = UNSET
    timezone: str | UnsetType = UNSET
    locale: str | UnsetType = UNSET
    theme: Theme | UnsetType = UNSET


async def update_profile(tx: Tx, user: User, given: ProfileFields) -> User:
    """Change the fields given. Raises InvalidInput."""
    after = changed(await present(tx, user), given, tx.limits)
    await tx.people.update_user(after)
    tx.effects.fact("user_updated", user_id=after.id)
    return after


def changed(user: User, given: ProfileFields, limits: Limits) -> User:
    """The account as it would be. Raises InvalidInput."""
    if given.name is not UNSET:
        user = replace(user, name=limited(given.name.strip(), "name", limits.name_chars))
    if given.timezone is not UNSET:
        user = replace(user, timezone=check_timezone(given.timezone))
    if given.locale is not UNSET:
        user = replace(user, locale=_locale(given.locale))
    if given.theme is not UNSET:
        user = replace(user, theme=given.theme)
    return user


async def change_password(tx: Tx, user: User, password_hash: str) -> User:
    """Give the person another password; `user` is who the present one was checked against.

    All their API tokens and sessions end. Raises Conflict when the password has been changed since
    it was checked.
    """
    before = await present(tx, user)
    if before.password_hash != user.password_hash:
        raise Conflict("the password has just been changed by somebody else; look at it again")
    await tx.people.update_user(replace(before, password_hash=password_hash))
    await tx.people.clear_login_attempts(before.email)
    await sign_out_everywhere(tx, before)
    tx.effects.fact("password_changed", user_id=before.id)
    return await present(tx, user)


async def present(tx: Tx, user: User) -> User:
    """The account as it is now. Raises NotAuthenticated where it is gone."""
    found = await tx.people.user(user.id)
    if found is None:
        raise NotAuthenticated("this account is gone; log in with another")
    return found


def _locale(text: str) -> str:
    """The locale as Unicode's CLDR writes it: language, perhaps script, and territory."""
    try:
        return str(babel.Locale.parse(text[:_LOCALE_CHARS].replace("-", "_")))
    except (ValueError, babel.UnknownLocaleError):
        raise InvalidInput(
            f"locale must be a language and a country such as en_GB or de_DE; got {text[:64]!r}"
        ) from None
