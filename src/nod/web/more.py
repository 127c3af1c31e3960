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
    words = ["1 place" if len(targets) == 1 else f"{len(targets)} places"]
    if failing := sum(each.failing_since is not None for each in targets):
        words.append(f"{failing} failing")
    if off := sum(not each.enabled and each.failing_since is None for each in targets):
        words.append(f"{off} switched off")
    return ", ".join(words)


routes = [more]
