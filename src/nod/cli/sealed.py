"""Whether a secret key is the one that a database's secrets are sealed with."""

from nod.config import Settings
from nod.notify.vapid import KEY_NAME
from nod.secrets import Vault, WrongSecretKey, key_file, read_key
from nod.store.store import Tx


async def sealed_secret(tx: Tx) -> str | None:
    """Something sealed that the database holds: what the first start leaves, or an agent's key."""
    of_server = await tx.notify.server_key(KEY_NAME)
    if of_server is not None:
        return of_server
    return next((agent.webhook_key for agent in await tx.people.all_agents()), None)


def opens(key: bytes, sealed: str | None) -> bool:
    """Whether this key opens it; where nothing is sealed, every key does."""
    if sealed is None:
        return True
    try:
        Vault(key).open(sealed)
    except WrongSecretKey:
        return False
    return True


def present_key(settings: Settings) -> bytes | None:
    """The key that a server with these settings uses; None where its start would make one."""
    if settings.secret_key:
        return settings.secret_key.encode()
    path = key_file(settings.data_dir)
    return read_key(path) if path.exists() else None
