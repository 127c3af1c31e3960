"""Pictures that people send: uploaded before their message, or with it."""

from collections.abc import Sequence

from nod.domain.errors import InvalidInput
from nod.domain.model import Conversation, Image, new_id
from nod.pictures import Picture
from nod.store.store import Tx


async def store_upload(tx: Tx, where: Conversation, picture: Picture) -> Image:
    """Keep a picture for a message of this conversation; unsent it goes after `upload_s`."""
    image = Image(
        new_id("img", tx.now),
        where.agent_id,
        picture.media_type,
        picture.data,
        tx.now,
        picture.width,
        picture.height,
    )
    await tx.chat.insert_image(image)
    tx.effects.fact("picture_uploaded", image_id=image.id, agent_id=where.agent_id)
    return image


async def taken(
    tx: Tx, where: Conversation, image_ids: Sequence[str], pictures: Sequence[Picture]
) -> list[str]:
    """The ids of a message's pictures: those uploaded before, then those that come with it.

    Raises InvalidInput for too many, and for one that is not there or in a message already.
    """
    wanted = list(dict.fromkeys(image_ids))
    if len(wanted) + len(pictures) > tx.limits.message_pictures:
        raise InvalidInput(f"a message takes at most {tx.limits.message_pictures} pictures")
    for image_id in wanted:
        image = await tx.chat.image(image_id)
        if image is None or image.agent_id != where.agent_id or image.message_id is not None:
            raise InvalidInput(
                f"there is no picture {image_id[:64]} that waits for a message; upload it again"
            )
    return [*wanted, *[(await store_upload(tx, where, each)).id for each in pictures]]
