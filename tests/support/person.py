"""A token for the first account of a running server, made beside it."""

from nod.actions import accounts
from nod.clock import SystemClock
from nod.config import load
from nod.domain.model import User
from nod.opening import open_database
from nod.secrets import Vault, load_secret_key
from nod.store.store import Store
from support.server import RunningServer


async def token_of_first_person(server: RunningServer) -> str:
    """A bearer token, as POST /api/auth/login would give it for the password."""
    settings = load({"NOD_DATA_DIR": str(server.data_dir)}, {})
    clock = SystemClock()
    store = Store(open_database(settings, exclusive=False), clock, settings.limits)
    await store.start()
    try:
        user: User | None = await store.read(lambda tx: tx.people.first_user())
    finally:
        await store.close()
    assert user is not None
    key = Vault(load_secret_key(None, server.data_dir)).derive(accounts.JWT_PURPOSE)
    return accounts.make_token(user, key, clock.now(), settings.limits)[0]
