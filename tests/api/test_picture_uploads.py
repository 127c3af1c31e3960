"""Pictures of people by the API: uploaded before a message, or in it."""

import base64
import io

from PIL import Image

from support.household import Household


def photo(size: tuple[int, int] = (3000, 1500)) -> bytes:
    held = io.BytesIO()
    Image.new("RGB", size, "teal").save(held, "JPEG", comment=b"at home")
    return held.getvalue()


async def messages(house: Household) -> str:
    (where,) = (await house.ann.http.get("/api/conversations")).json()
    return f"/api/conversations/{where['id']}/messages"


async def test_an_uploaded_picture_is_made_anew_and_goes_with_the_message_that_names_it(
    house: Household,
) -> None:
    path = await messages(house)
    ann = house.ann.http
    sent = await ann.post(path.replace("messages", "images"), content=photo())
    assert sent.status_code == 201
    made = sent.json()
    assert (made["media_type"], made["width"], made["height"]) == ("image/jpeg", 2048, 1024)
    stored = await ann.get(made["url"])
    assert len(stored.content) == made["size_bytes"]
    assert b"at home" not in stored.content
    said = (await ann.post(path, json={"image_ids": [made["id"]]})).json()
    assert (said["image_url"], said["image_urls"]) == (made["url"], [made["url"]])
    (shown,) = (await ann.get(path)).json()
    assert shown["image_urls"] == [made["url"]]
    agent = house.as_agent(house.ann)
    (event,) = (await house.without_token.get("/api/agent/events", headers=agent)).json()
    assert event["image_urls"] == [f"https://nod.example.org{made['url']}"]
    assert (await house.without_token.get(made["url"], headers=agent)).content == stored.content


async def test_a_picture_in_the_message_itself_is_made_anew_too(house: Household) -> None:
    path = await messages(house)
    ann = house.ann.http
    given = base64.b64encode(photo((30, 20))).decode()
    said = (await ann.post(path, json={"text": "Look", "image_base64": given})).json()
    assert b"at home" not in (await ann.get(said["image_url"])).content
    pixels = base64.b64encode(b"\x89PNG\r\n\x1a\npixels").decode()
    refused = await ann.post(path, json={"text": "Look", "image_base64": pixels})
    assert refused.status_code == 400
    assert "send a PNG, JPEG, WebP or GIF" in refused.json()["detail"]


async def test_what_is_no_picture_is_refused(house: Household) -> None:
    path = (await messages(house)).replace("messages", "images")
    assert (await house.ann.http.post(path, content=b"<svg/>")).status_code == 400
    assert (await house.ann.http.post(path)).status_code == 400
    large = b"x" * (house.nod.limits.upload_bytes + 1)
    assert (await house.ann.http.post(path, content=large)).status_code == 413
