"""Pictures for a message, uploaded before it."""

from typing import Any

import msgspec
from litestar import Controller, Request, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from nod.actions import chat, uploads
from nod.api.auth import require_user
from nod.app import Nod
from nod.domain.model import Image, User
from nod.store.store import Tx


class UploadView(msgspec.Struct):
    """A picture as it was made anew. Name its `id` in the `image_ids` of a message."""

    id: str
    url: str
    media_type: str
    width: int | None
    height: int | None
    size_bytes: int


class Uploads(Controller):
    """Pictures of a conversation that no message shows yet."""

    path = "/api/conversations/{conversation_id:str}/images"
    tags = ("Chat",)
    guards = (require_user,)

    @post()
    async def upload(
        self,
        nod: NamedDependency[Nod],
        user: NamedDependency[User],
        request: Request[Any, Any, Any],
        conversation_id: FromPath[str],
    ) -> UploadView:
        """The body is a PNG, JPEG, WebP or GIF. Unsent, it is kept for a day."""

        async def keep(tx: Tx) -> Image:
            where = await chat.get_conversation(tx, user, conversation_id)
            return await uploads.store_upload(tx, where, picture)

        await nod.store.read(lambda tx: chat.get_conversation(tx, user, conversation_id))
        picture = await nod.pictures.clean(await request.body())
        image = await nod.store.write(keep)
        return UploadView(
            image.id,
            f"/api/images/{image.id}",
            image.media_type,
            image.width,
            image.height,
            len(image.data),
        )
