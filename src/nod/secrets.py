"""The server's own key: where it comes from, and what it encrypts and signs.

Everything is derived from one secret, `NOD_SECRET_KEY` or the file `secret.key` in the data
directory. Whoever has it can read the stored webhook keys and make logins, so it belongs into no
backup that others read; without it, agents must be given new secrets.
"""

import base64
import contextlib
import os
import secrets
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from nod.domain.errors import InvalidInput, NodError

_FILE = "secret.key"
_MIN_CHARS = 32
_HOW = "make one with: python3 -c 'import secrets; print(secrets.token_urlsafe(32))'"


class WrongSecretKey(NodError):
    """Something stored was encrypted with another key than the one in use now."""


def load_secret_key(configured: str | None, data_dir: Path) -> bytes:
    """The server's secret key: `configured` (NOD_SECRET_KEY) if set, else the key file's.

    The file is made on the first start; processes that start at the same moment agree on one.
    Raises InvalidInput when the key is too short, and OSError when the file cannot be used.
    """
    if configured:
        return _checked(configured, "NOD_SECRET_KEY")
    path = key_file(data_dir)
    if not path.exists():
        _create(path)
    return read_key(path)


def key_file(data_dir: Path) -> Path:
    """Where the key is kept unless NOD_SECRET_KEY gives it."""
    return data_dir / _FILE


def read_key(path: Path) -> bytes:
    """The key in a file. Raises InvalidInput when it is too short, and OSError."""
    return _checked(path.read_text(encoding="utf-8"), str(path))


def write_key(path: Path, key: bytes) -> None:
    """Write a key to a new file that is its owner's alone, and to the disk. Raises OSError."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(key + b"\n")
        file.flush()
        os.fsync(file.fileno())


def _checked(text: str, origin: str) -> bytes:
    key = text.strip()
    if len(key) < _MIN_CHARS:
        raise InvalidInput(
            f"{origin} must have at least {_MIN_CHARS} characters and has {len(key)}; {_HOW}"
        )
    return key.encode()


def _create(path: Path) -> None:
    """Write a new key to `path`, unless another process was faster.

    The file appears under its name only when it is complete: a link to an existing name fails,
    so the first one wins, and nobody ever reads half a key.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f".{_FILE}.{os.getpid()}.{secrets.token_hex(8)}")
    try:
        write_key(draft, secrets.token_urlsafe(32).encode())
        with contextlib.suppress(FileExistsError):
            path.hardlink_to(draft)
    finally:
        draft.unlink(missing_ok=True)


class Vault:
    """Encrypts what is stored and derives the keys of other uses, all from the secret key."""

    def __init__(self, secret_key: bytes) -> None:
        self._secret_key = secret_key
        self._fernet = Fernet(base64.urlsafe_b64encode(self.derive("stored secrets")))

    def seal(self, plain: bytes | str) -> str:
        """Encrypt, as text that can be stored; sealing twice gives two different texts."""
        data = plain.encode() if isinstance(plain, str) else plain
        return self._fernet.encrypt(data).decode()

    def open(self, sealed: str) -> bytes:
        """What was sealed. Raises WrongSecretKey if it was not sealed with this secret key."""
        try:
            return self._fernet.decrypt(sealed.encode())
        except InvalidToken:
            raise WrongSecretKey(
                "a stored secret cannot be read with the present NOD_SECRET_KEY; put the former"
                f" key (or the file {_FILE}) back, or give the agents new secrets"
            ) from None

    def derive(self, purpose: str) -> bytes:
        """A key of 32 bytes for one purpose; those of two purposes tell nothing of each other.

        HKDF with SHA-256, RFC 5869.
        """
        kdf = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"nod/" + purpose.encode())
        return kdf.derive(self._secret_key)
