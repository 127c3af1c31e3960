"""Message encryption for Web Push, RFC 8291, as one record of `aes128gcm`, RFC 8188.

Nod sends through its own guarded connections, so of a Web Push library only this page would be
used; it stands here, on the primitives of `cryptography`, and is held to the RFC's own example and
to another implementation by tests/unit/notify.
"""

import os

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

_RECORD_BYTES = 4096  # the most that push services must take, RFC 8291, section 4
_OVERHEAD_BYTES = 86 + 16 + 1  # header with the sender's key, authentication tag, delimiter
MOST_BYTES = _RECORD_BYTES - _OVERHEAD_BYTES
AUTH_BYTES = 16


def encrypt(
    plain: bytes,
    receiver: bytes,
    auth: bytes,
    *,
    salt: bytes | None = None,
    sender: ec.EllipticCurvePrivateKey | None = None,
) -> bytes:
    """The body of a push message. `salt` and `sender` are for the RFC's example; else random.

    `receiver` is the subscription's public key (`p256dh`, an uncompressed point) and `auth` its
    secret. Raises ValueError for a key that is no point of P-256, and for more than MOST_BYTES.
    """
    if len(plain) > MOST_BYTES:
        raise ValueError(f"a push message holds at most {MOST_BYTES} bytes; this has {len(plain)}")
    salt = salt or os.urandom(16)
    sender = sender or ec.generate_private_key(ec.SECP256R1())
    shared = sender.exchange(ec.ECDH(), public_key(receiver))
    ours = raw(sender.public_key())
    secret = _derive(auth, shared, b"WebPush: info\0" + receiver + ours, 32)
    key = _derive(salt, secret, b"Content-Encoding: aes128gcm\0", 16)
    nonce = _derive(salt, secret, b"Content-Encoding: nonce\0", 12)
    header = salt + _RECORD_BYTES.to_bytes(4, "big") + bytes([len(ours)]) + ours
    return header + AESGCM(key).encrypt(nonce, plain + b"\2", None)


def public_key(point: bytes) -> ec.EllipticCurvePublicKey:
    """The key of an uncompressed point. Raises ValueError for what is none on P-256."""
    return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)


def raw(key: ec.EllipticCurvePublicKey) -> bytes:
    """The key as an uncompressed point, 65 bytes."""
    return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def _derive(salt: bytes, secret: bytes, info: bytes, length: int) -> bytes:
    return HKDF(algorithm=SHA256(), length=length, salt=salt, info=info).derive(secret)
