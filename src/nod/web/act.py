"""The buttons on a notification: a request answered without opening the app."""

from litestar import post
from litestar.di import NamedDependency
from litestar.params import FromPath

from nod.actions.act import PATH, use_token
from nod.app import Nod
from nod.domain.errors import Forbidden, NotAuthenticated


@post(f"{PATH}{{token:str}}", status_code=204)
async def act(nod: NamedDependency[Nod], token: FromPath[str]) -> None:
    """Give the answer that the button stands for. Who was signed in does not matter."""
    try:
        await nod.store.write(lambda tx: use_token(tx, nod.vault, token))
    except NotAuthenticated as error:
        # Not the way to the sign-in page: the service worker has to hear that it did not work.
        raise Forbidden(error.detail) from None


routes = [act]
