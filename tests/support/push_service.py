"""A browser and its push service: a subscription with a real key pair, and what arrives for it.

Messages are opened with http_ece, which is not the code that Nod encrypts with.
"""

import base64
import json
import os
from dataclasses import dataclass, field
from typing import Any

import http_ece
import jwt
from cryptography.hazmat.primitives.asymmetric import ec

from nod.notify.encryption import raw
from nod.notify.push import Keys, Subscription
from nod.notify.vapid import b64url
from support.receiver import Call


@dataclass(frozen=True)
class Browser:
    """A browser that has subscribed at `endpoint`."""

    endpoint: str
    key: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )
    auth: bytes = field(default_factory=lambda: os.urandom(16))

    @property
    def subscription(self) -> Subscription:
        public = b64url(raw(self.key.public_key()))
        return Subscription(self.endpoint, Keys(public, b64url(self.auth)))

    @property
    def as_json(self) -> dict[str, Any]:
        """What `PushSubscription.toJSON()` gives."""
        keys = self.subscription.keys
        return {
            "endpoint": self.endpoint,
            "expirationTime": None,
            "keys": {"p256dh": keys.p256dh, "auth": keys.auth},
        }

    def read(self, call: Call) -> dict[str, Any]:
        """What a message says."""
        assert call.headers["content-encoding"] == "aes128gcm"
        plain = http_ece.decrypt(
            call.body, private_key=self.key, auth_secret=self.auth, version="aes128gcm"
        )
        found: dict[str, Any] = json.loads(plain)
        return found


def vapid_claims(call: Call) -> tuple[dict[str, Any], str]:
    """The claims that a message proves itself with, and the key that proves them."""
    scheme, _, fields = call.headers["authorization"].partition(" ")
    assert scheme == "vapid"
    given = dict(each.strip().split("=", 1) for each in fields.split(","))
    point = given["k"] + "=" * (-len(given["k"]) % 4)
    key = ec.EllipticCurvePublicKey.from_encoded_point(
        ec.SECP256R1(), base64.urlsafe_b64decode(point)
    )
    claims = jwt.decode(
        given["t"], key, algorithms=["ES256"], options={"verify_aud": False, "verify_exp": False}
    )
    return claims, given["k"]
