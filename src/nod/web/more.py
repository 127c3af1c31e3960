"""More: the way to all pages that have no tab of their own, and out."""

from litestar import Response, get
from litestar.di import NamedDependency

from nod.domain.model import Agent, NotifyTarget
from nod.store.store import Tx
from nod.version import __version__
from nod.web.view import Viewer


@get("/more")
async def more(viewer: NamedDependency[Viewer]) -> Response[bytes]:
    """Pages about what happened, settings, each agent's settings, the server."""

    async def look(tx: Tx) -> tuple[list[Agent], list[NotifyTarget]]:
        agents = await tx.people.agents_of(viewer.user.id)
        return agents, await tx.notify.targets_of(viewer.user.id)

    agents, targets = await viewer.nod.store.read(look)
    return await viewer.page(
        "more/page.html",
        agents=agents,
        sockets=viewer.nod.sockets,
        places=_places(targets),
        version=__version__,
    )


def _places(targets: list[NotifyTarget]) -> str:
    """Where the person is told, in words."""
    if not targets:
        return "Nothing reaches you outside the app yet"
    count = "1 place" if len(targets) == 1 else f"{len(targets)} places"
    well = sum(each.enabled and each.failing_since is None for each in targets)
    return count if well == len(targets) else f"{count}, {len(targets) - well} of them not working"


routes = [more]
