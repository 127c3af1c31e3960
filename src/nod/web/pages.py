"""All pages put together, with what holds for each of them."""

from collections.abc import Sequence

from litestar import Router
from litestar.di import Provide
from litestar.types import ControllerRouterHandler

from nod.domain.limits import Limits
from nod.web import (
    act,
    activity,
    agenda,
    agent_settings,
    agents,
    assets,
    chats,
    deliveries,
    delivery_sheet,
    home,
    more,
    notices,
    notifications,
    pwa,
    requests,
    runs,
    search,
    settings,
    start,
    task_editor,
    tasks,
    triggers,
    uploads,
)
from nod.web.problems import answer
from nod.web.session import check_origin, cookies_renewed, viewer
from nod.web.view import warm_up


def routes(limits: Limits) -> list[ControllerRouterHandler]:
    """What to mount. The app gives the dependency `nod` to all of them."""
    warm_up()

    def router(handlers: Sequence[ControllerRouterHandler], body_bytes: int) -> Router:
        return Router(
            "/",
            route_handlers=handlers,
            dependencies={"viewer": Provide(viewer)},
            exception_handlers={Exception: answer},
            before_request=check_origin,
            middleware=[cookies_renewed],
            request_max_body_size=body_bytes,
            include_in_schema=False,
        )

    pages = router(
        [
            *start.routes,
            *home.routes,
            *agents.routes,
            *agent_settings.routes,
            *chats.routes,
            *runs.routes,
            *requests.routes,
            *activity.routes,
            *more.routes,
            *settings.routes,
            *agenda.routes,
            *search.routes,
            *deliveries.routes,
            *delivery_sheet.routes,
            *notifications.routes,
            *notices.routes,
            *task_editor.routes,
            *triggers.routes,
            *tasks.routes,
            *act.routes,
            *pwa.routes,
            assets.asset,
        ],
        limits.event_body_bytes,
    )
    # What comes with pictures: their bytes, and the fields of the form around them.
    with_files = router(
        [*chats.with_files, *uploads.routes], limits.upload_bytes + limits.body_bytes
    )
    return [pages, with_files]
