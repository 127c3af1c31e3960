"""Who sends: the server's own key for push services (VAPID, RFC 8292)."""

import base64
from urllib.parse import urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from nod.domain.instant import HOUR, SECOND, Instant
from nod.notify.encryption import raw

KEY_NAME = "vapid"
_LIFE: Instant = 12 * HOUR  # at most 24 hours, RFC 8292, section 2


def new_key() -> bytes:
    """A new private key, as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def b64url(data: bytes) -> str:
    """Base64 for URLs without padding, as Web Push writes everything."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Vapid:
    """Signs what goes to push services. `public_url` is how the server is reached by people."""

    def __init__(self, pem: bytes, public_url: str) -> None:
        key = load_pem_private_key(pem, None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise TypeError("the key of the push services is none of P-256")
        self._key = key
        self.public_key = b64url(raw(key.public_key()))
        # A contact is wanted that is https: or mailto:, RFC 8292, section 2.1.
        host = urlsplit(public_url).hostname or "localhost"
        self._contact = public_url if public_url.startswith("https:") else f"mailto:nod@{host}"

    def authorization(self, endpoint: str, now: Instant) -> str:
        """The `Authorization` header for a message to a subscription's endpoint."""
        parts = urlsplit(endpoint)
        claims = {
            "aud": f"{parts.scheme}://{parts.netloc}",
            "exp": (now + _LIFE) // SECOND,
            "sub": self._contact,
        }
        token = jwt.encode(claims, self._key, algorithm="ES256")
        return f"vapid t={token}, k={self.public_key}"
