"""Web Push: what a browser's own keys open, and what becomes of what a push service answers."""

import base64
from collections.abc import AsyncIterator
from dataclasses import replace
from ipaddress import ip_network
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from nod.delivery.address_guard import AddressGuard
from nod.domain.errors import InvalidInput
from nod.domain.instant import SECOND
from nod.domain.limits import Limits
from nod.notify.encryption import MOST_BYTES, encrypt, raw
from nod.notify.push import Keys, PushMessage, PushSender, Subscription, check_subscription
from nod.notify.vapid import Vapid, b64url, new_key
from support.clock import MONDAY_9, FakeClock
from support.push_service import Browser, vapid_claims
from support.receiver import HANG, Receiver, answer, receiving

LOCAL = AddressGuard([ip_network("127.0.0.0/8")])
MESSAGE = PushMessage(b'{"title":"Hi"}', 60, "high", "run:run_1")


def unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def test_the_example_of_the_rfc_comes_out_byte_for_byte() -> None:
    # RFC 8291, appendix A.
    sender = ec.derive_private_key(
        int.from_bytes(unb64("yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw"), "big"),
        ec.SECP256R1(),
    )
    receiver = unb64(
        "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"
    )
    body = encrypt(
        b"When I grow up, I want to be a watermelon",
        receiver,
        unb64("BTBZMqHH6r4Tts7J_aSIgg"),
        salt=unb64("DGv6ra1nlYgDCS1FRnbzlw"),
        sender=sender,
    )
    assert b64url(body) == (
        "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6"
        "TlzAC8wEqKK6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4"
        "a-fN"
    )


def test_the_longest_message_fits_one_record_and_a_longer_one_is_refused() -> None:
    browser = Browser("https://push.example.org/1")
    receiver = raw(browser.key.public_key())
    assert len(encrypt(b"x" * MOST_BYTES, receiver, browser.auth)) == 4096
    with pytest.raises(ValueError, match="at most 3993"):
        encrypt(b"x" * (MOST_BYTES + 1), receiver, browser.auth)


def test_a_server_without_tls_gives_a_mailbox_as_its_contact() -> None:
    for url, contact in (
        ("https://nod.example.org", "https://nod.example.org"),
        ("http://localhost:8000", "mailto:nod@localhost"),
    ):
        header = Vapid(new_key(), url).authorization("https://push.example.org/1", MONDAY_9)
        token = header.partition("t=")[2].partition(",")[0]
        assert contact in unb64(token.split(".")[1]).decode()


def test_only_a_key_of_p256_signs() -> None:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    pem = Ed25519PrivateKey.generate().private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    with pytest.raises(TypeError):
        Vapid(pem, "https://nod.example.org")


# what a browser may give


def test_a_subscription_of_a_browser_is_taken() -> None:
    given = Browser("https://push.example.org/1#x").subscription
    assert check_subscription(given, AddressGuard([]), Limits()).endpoint == (
        "https://push.example.org/1"
    )


KEYS = Browser("").subscription.keys


@pytest.mark.parametrize(
    ("endpoint", "keys", "told"),
    [
        ("http://push.example.org/1", KEYS, "https"),
        ("http://10.0.0.1/1", KEYS, "NOD_ALLOW_WEBHOOK_NETS"),
        ("https://169.254.169.254/", KEYS, "NOD_ALLOW_WEBHOOK_NETS"),
        ("file:///etc/passwd", KEYS, "https"),
        ("https://push.example.org/1", Keys("AAAA", KEYS.auth), "p256dh"),
        ("https://push.example.org/1", Keys("§", KEYS.auth), "p256dh"),
        ("https://push.example.org/1", Keys(KEYS.p256dh, "AAAA"), "auth"),
    ],
)
def test_what_is_no_subscription_is_refused_with_why(endpoint: str, keys: Keys, told: str) -> None:
    with pytest.raises(InvalidInput, match=told):
        check_subscription(Subscription(endpoint, keys), AddressGuard([]), Limits())


# sending


@pytest.fixture
async def sender() -> AsyncIterator[PushSender]:
    made = PushSender(LOCAL, replace(Limits(), notify_timeout_s=1), FakeClock())
    yield made
    await made.close()


async def test_a_browser_opens_what_it_is_sent_and_knows_who_sent_it(sender: PushSender) -> None:
    vapid = Vapid(new_key(), "https://nod.example.org")
    async with receiving(last=answer(201)) as service:
        browser = Browser(service.url)
        outcome = await sender.send(browser.subscription, MESSAGE, vapid)
    assert outcome.result == "ok"
    (call,) = service.calls
    assert browser.read(call) == {"title": "Hi"}
    assert (call.headers["ttl"], call.headers["urgency"]) == ("60", "high")
    assert len(call.headers["topic"]) == 32
    claims, key = vapid_claims(call)
    assert key == vapid.public_key
    assert claims["aud"] == f"http://127.0.0.1:{service.port}"
    assert 0 < claims["exp"] - MONDAY_9 // SECOND <= 86_400


@pytest.mark.parametrize(
    ("answered", "result", "told"),
    [
        (answer(404), "gone", "ended its subscription"),
        (answer(410), "gone", "ended its subscription"),
        (answer(413), "refused", "413"),
        (answer(403, body="bad key"), "failed", "HTTP status 403 bad key"),
        (answer(503), "failed", "503"),
        (answer(302, "Location: http://10.0.0.1/"), "failed", "redirect"),
        (HANG, "failed", "1 s"),
    ],
)
async def test_what_a_push_service_answers_decides_what_happens(
    sender: PushSender, answered: bytes, result: str, told: str
) -> None:
    async with receiving(answered) as service:
        outcome = await _send(sender, service)
    assert outcome.result == result
    assert told in outcome.error


async def test_a_push_service_may_ask_for_time(sender: PushSender) -> None:
    async with receiving(answer(429, "Retry-After: 120")) as service:
        outcome = await _send(sender, service)
    assert (outcome.result, outcome.retry_after_s) == ("failed", 120)


async def test_an_endpoint_whose_name_leads_inside_is_not_called() -> None:
    sender = PushSender(AddressGuard([]), Limits(), FakeClock())
    async with receiving() as service:
        browser = Browser(service.url.replace("127.0.0.1", "localhost"))
        vapid = Vapid(new_key(), "https://nod.example.org")
        outcome = await sender.send(browser.subscription, MESSAGE, vapid)
        await sender.close()
    assert (outcome.result, service.calls) == ("failed", [])


async def _send(sender: PushSender, service: Receiver) -> Any:
    vapid = Vapid(new_key(), "https://nod.example.org")
    return await sender.send(Browser(service.url).subscription, MESSAGE, vapid)
