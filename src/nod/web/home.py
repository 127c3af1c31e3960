"""Home: the person's agents as conversations."""

from litestar import Response, get
from litestar.di import NamedDependency

from nod.actions.home import overviews
from nod.web.view import Viewer


@get("/")
async def home(viewer: NamedDependency[Viewer]) -> Response[bytes]:
    """All agents, the one that was last heard in first."""
    agents = await viewer.nod.store.read(lambda tx: overviews(tx, viewer.user))
    return await viewer.page("home.html", agents=agents, sockets=viewer.nod.sockets, here=None)


@get("/agents")
async def agent_list(viewer: NamedDependency[Viewer]) -> Response[bytes]:
    """The list alone, for a live update."""
    agents = await viewer.nod.store.read(lambda tx: overviews(tx, viewer.user))
    return viewer.fragment("agent_list.html", agents=agents, sockets=viewer.nod.sockets, here=None)


routes = [home, agent_list]
