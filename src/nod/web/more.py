"""More: the way to everything that has no tab of its own."""

from litestar import Response, get
from litestar.di import NamedDependency

from nod.web.view import Viewer


@get("/more")
async def more(viewer: NamedDependency[Viewer]) -> Response[bytes]:
    """Where else one can go, and out."""
    return await viewer.page("more.html")


routes = [more]
