"""Pictures in the composer: shown before they are sent, brought to the agent, private."""

import io
import re
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest
from PIL import Image

from nod.actions.agents import Credentials
from nod.domain.instant import DAY
from nod.domain.model import Conversation
from nod.engine.sweep import SWEEPS
from support.browser import signed_in
from support.clock import FakeClock
from support.inprocess import PATIENCE_S, InProcess, running

pytestmark = pytest.mark.usefixtures("ada")

HTMX = {"HX-Request": "true", "HX-Target": "newest"}


def drawn(size: tuple[int, int] = (60, 30), kind: str = "PNG") -> bytes:
    held = io.BytesIO()
    Image.new("RGB", size, "teal").save(held, kind)
    return held.getvalue()


@pytest.fixture
async def nod(tmp_path: Path, clock: FakeClock) -> AsyncIterator[InProcess]:
    async with running(tmp_path, clock, message_pictures=2) as started:
        yield started


def files(*pictures: bytes) -> list[tuple[str, tuple[str, bytes, str]]]:
    return [("pictures", (f"{at}.png", each, "image/png")) for at, each in enumerate(pictures)]


async def upload(ann: httpx.AsyncClient, talk: Conversation, *pictures: bytes) -> list[str]:
    shown = await ann.post(f"/chats/{talk.id}/pictures", files=files(*pictures), headers=HTMX)
    assert shown.status_code == 200, shown.text
    return re.findall(r'name="image_ids" value="(img_[0-9a-z]+)"', shown.text)


async def heard(nod: InProcess, ada: Credentials) -> dict[str, object]:
    """The newest event of the agent, as it polls it."""
    async with nod.http(ada) as agent:
        found: list[dict[str, object]] = (await agent.get("/events")).json()
    return found[-1]


async def test_pictures_are_shown_then_sent_and_the_agent_gets_them(
    nod: InProcess, ann: httpx.AsyncClient, ada: Credentials, talk: Conversation
) -> None:
    ids = await upload(ann, talk, drawn(), drawn((30, 60)))
    form = {"text": "Which one?", "image_ids": ids}
    sent = await ann.post(f"/chats/{talk.id}/messages", data=form, headers=HTMX)
    shown = [sent.text.index(f'<img src="/images/{each}"') for each in ids]
    assert shown == sorted(shown)
    assert 'width="60" height="30"' in sent.text
    assert 'alt="Picture 2 of 2 from you' in sent.text
    event = await heard(nod, ada)
    urls = [f"{nod.nod.settings.public_url}/api/images/{each}" for each in ids]
    assert (event["image_url"], event["image_urls"]) == (urls[0], urls)
    async with nod.http(ada) as agent:
        got = await agent.get(f"{nod.url}/api/images/{ids[1]}")
    assert got.headers["content-type"] == "image/png"
    assert Image.open(io.BytesIO(got.content)).size == (30, 60)


async def test_without_script_the_form_brings_its_pictures_itself(
    nod: InProcess, ann: httpx.AsyncClient, ada: Credentials, talk: Conversation
) -> None:
    sent = await ann.post(
        f"/chats/{talk.id}/messages", data={"text": "", "reply_to_id": ""}, files=files(drawn())
    )
    assert sent.headers["location"] == f"/chats/{talk.id}"
    page = (await ann.get(sent.headers["location"])).text
    assert 'alt="Picture from you' in page
    assert len((await heard(nod, ada))["image_urls"]) == 1  # type: ignore[arg-type]


async def test_a_message_takes_as_many_pictures_as_the_limit_and_not_one_more(
    ann: httpx.AsyncClient, talk: Conversation
) -> None:
    ids = await upload(ann, talk, drawn(), drawn())
    more = await upload(ann, talk, drawn())
    send = f"/chats/{talk.id}/messages"
    refused = await ann.post(send, data={"text": "x", "image_ids": [*ids, *more]}, headers=HTMX)
    assert (refused.status_code, "at most 2 pictures" in refused.text) == (400, True)
    assert (await ann.post(send, data={"text": "x", "image_ids": ids}, headers=HTMX)).is_success
    at_once = await ann.post(
        f"/chats/{talk.id}/pictures", files=files(drawn(), drawn(), drawn()), headers=HTMX
    )
    assert "at most 2 pictures" in at_once.text


async def test_what_is_no_picture_is_refused_in_words(
    ann: httpx.AsyncClient, talk: Conversation
) -> None:
    refused = await ann.post(f"/chats/{talk.id}/pictures", files=files(b"<svg/>"), headers=HTMX)
    assert refused.status_code == 400
    assert "send a PNG, JPEG, WebP or GIF" in refused.text
    empty = await ann.post(f"/chats/{talk.id}/pictures", data={"x": "y"}, headers=HTMX)
    assert "there is no picture in it" in empty.text.lower()


async def test_a_body_larger_than_uploads_may_be_is_refused(
    nod: InProcess, ann: httpx.AsyncClient, talk: Conversation
) -> None:
    limits = nod.nod.limits
    large = b"x" * (limits.upload_bytes + limits.body_bytes + 1)
    refused = await ann.post(f"/chats/{talk.id}/pictures", files=files(large), headers=HTMX)
    assert refused.status_code == 413


async def test_a_picture_goes_into_one_message_of_its_own_conversation_only(
    nod: InProcess, ann: httpx.AsyncClient, talk: Conversation
) -> None:
    (one,) = await upload(ann, talk, drawn())
    other = await nod.add_agent("Bob")
    there = await nod.nod.store.read(lambda tx: tx.chat.default_conversation(other.agent.id))
    form = {"text": "Look", "image_ids": [one]}
    stolen = await ann.post(f"/chats/{there.id}/messages", data=form, headers=HTMX)
    assert stolen.status_code == 400
    assert (await ann.post(f"/chats/{talk.id}/messages", data=form, headers=HTMX)).is_success
    again = await ann.post(f"/chats/{talk.id}/messages", data=form, headers=HTMX)
    assert "upload it again" in again.text


async def test_pictures_are_seen_by_their_owner_alone_and_may_do_nothing(
    nod: InProcess, ann: httpx.AsyncClient, talk: Conversation
) -> None:
    (one,) = await upload(ann, talk, drawn())
    mine = await ann.get(f"/images/{one}")
    assert mine.headers["content-type"] == "image/png"
    assert mine.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in mine.headers["content-security-policy"]
    assert "private" in mine.headers["cache-control"]
    async with await signed_in(nod, "eve@example.org") as eve:
        assert (await eve.get(f"/images/{one}")).status_code == 404
        put = await eve.post(f"/chats/{talk.id}/pictures", files=files(drawn()))
        assert put.status_code == 404
    async with httpx.AsyncClient(base_url=nod.url, timeout=PATIENCE_S) as nobody:
        assert (await nobody.get(f"/images/{one}")).status_code == 303


async def test_a_picture_that_was_not_sent_goes_after_a_day_and_one_that_was_stays(
    nod: InProcess, ann: httpx.AsyncClient, talk: Conversation, clock: FakeClock
) -> None:
    sent, unsent = await upload(ann, talk, drawn(), drawn())
    form = {"text": "", "image_ids": [sent]}
    await ann.post(f"/chats/{talk.id}/messages", data=form, headers=HTMX)
    store, seconds = nod.nod.store, nod.nod.limits.upload_s
    clock.advance(seconds - 1)
    assert await store.write(SWEEPS["images"]) == 0
    clock.advance(1)
    await store.write(SWEEPS["images"])
    left = [await store.read(lambda tx, each=each: tx.chat.image(each)) for each in (sent, unsent)]  # type: ignore[misc]
    assert [each is None for each in left] == [False, True]
    assert seconds == DAY // 1000


async def test_a_picture_goes_with_its_message(tmp_path: Path) -> None:
    async with running(tmp_path / "other") as nod:
        ada = await nod.add_agent()
        talk = await nod.nod.store.read(lambda tx: tx.chat.default_conversation(ada.agent.id))
        async with await signed_in(nod) as ann:
            ids = await upload(ann, talk, drawn(), drawn())
            form = {"text": "Look", "image_ids": ids}
            await ann.post(f"/chats/{talk.id}/messages", data=form, headers=HTMX)
        path = nod.nod.settings.database_path
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA foreign_keys = ON")
        assert db.execute("SELECT count(*) FROM images").fetchone() == (2,)
        db.execute("DELETE FROM messages")
        assert db.execute("SELECT count(*) FROM images").fetchone() == (0,)
