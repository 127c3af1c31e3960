"""All pages put together, with what holds for each of them."""

from litestar import Router
from litestar.di import Provide
from litestar.types import ControllerRouterHandler

from nod.domain.limits import Limits
from nod.web import act, agent_settings, agents, assets, chats, home, pwa, requests, runs, start
from nod.web.problems import answer
from nod.web.session import check_origin, viewer


def routes(limits: Limits) -> list[ControllerRouterHandler]:
    """What to mount. The app gives the dependency `nod` to all of them."""
    pages = Router(
        "/",
        route_handlers=[
            *start.routes,
            *home.routes,
            *agents.routes,
            *agent_settings.routes,
            *chats.routes,
            *runs.routes,
            *requests.routes,
            *act.routes,
            *pwa.routes,
            assets.asset,
        ],
        dependencies={"viewer": Provide(viewer)},
        exception_handlers={Exception: answer},
        before_request=check_origin,
        request_max_body_size=limits.event_body_bytes,
        include_in_schema=False,
    )
    return [pages]
