"""Pictures in the composer: uploaded as they are chosen, or with the message where no script runs.

Each is shown as a thumbnail with the field that names it, so the message takes what one sees.
"""

from litestar import Response, post
from litestar.datastructures import FormMultiDict, UploadFile
from litestar.di import NamedDependency
from litestar.params import FromPath

from nod.actions import chat, uploads
from nod.domain.errors import InvalidInput
from nod.domain.limits import Limits
from nod.domain.model import Image
from nod.pictures import Picture, Pictures
from nod.store.store import Tx
from nod.web.view import Viewer

_FIELD = "pictures"


@post("/chats/{conversation_id:str}/pictures", status_code=200)
async def upload(
    viewer: NamedDependency[Viewer], conversation_id: FromPath[str]
) -> Response[bytes]:
    """Take pictures for the message that is being written; the answer shows them."""
    nod = viewer.nod
    await nod.store.read(lambda tx: chat.get_conversation(tx, viewer.user, conversation_id))
    made = await pictures_of(await viewer.request.form(), nod.pictures, nod.limits)
    if not made:
        raise InvalidInput("there is no picture in it; choose a PNG, JPEG, WebP or GIF")

    async def keep(tx: Tx) -> list[Image]:
        where = await chat.get_conversation(tx, viewer.user, conversation_id)
        return [await uploads.store_upload(tx, where, each) for each in made]

    return viewer.fragment("chat/attached.html", images=await nod.store.write(keep))


async def pictures_of(form: FormMultiDict, maker: Pictures, limits: Limits) -> list[Picture]:
    """The pictures that were chosen in the form, made anew. Raises InvalidInput, TooLarge."""
    chosen = [each for each in form.getall(_FIELD, []) if isinstance(each, UploadFile)]
    found = [data for each in chosen if (data := await each.read())]
    if len(found) > limits.message_pictures:
        raise InvalidInput(f"a message takes at most {limits.message_pictures} pictures")
    return [await maker.clean(data) for data in found]


routes = [upload]
