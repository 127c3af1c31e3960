"""The person's side of the API: everything under /api that is not /api/agent."""

from litestar import Router
from litestar.di import Provide
from litestar.types import ControllerRouterHandler

from nod.api.auth import current_user
from nod.api.user.accounts import Login, Me
from nod.api.user.agenda import AgendaCalls
from nod.api.user.agents import Agents
from nod.api.user.chat import ActivityLog, Conversations, Images
from nod.api.user.decisions import Decisions
from nod.api.user.deliveries import Deliveries
from nod.api.user.home import Home
from nod.api.user.notifications import Notifications
from nod.api.user.result import RunResult, TaskStrip
from nod.api.user.runs import Runs
from nod.api.user.schedules import Schedules
from nod.api.user.search import Searching
from nod.api.user.task_extras import TaskExtras
from nod.api.user.tasks import Tasks
from nod.api.user.uploads import Uploads
from nod.domain.limits import Limits

_SMALL = [
    Login,
    Me,
    Agents,
    Home,
    AgendaCalls,
    Images,
    ActivityLog,
    Decisions,
    Notifications,
    Schedules,
    Searching,
    TaskExtras,
    Tasks,
    Runs,
    Deliveries,
    RunResult,
    TaskStrip,
]


def routes(limits: Limits) -> list[ControllerRouterHandler]:
    """What to mount. The app gives the dependency `nod` to all of them."""
    dependencies = {"user": Provide(current_user)}
    small = Router("/", route_handlers=_SMALL, dependencies=dependencies)
    # What a person says may carry a picture, which is larger than other bodies.
    large = Router(
        "/",
        route_handlers=[Conversations],
        dependencies=dependencies,
        request_max_body_size=limits.event_body_bytes,
    )
    files = Router(
        "/",
        route_handlers=[Uploads],
        dependencies=dependencies,
        request_max_body_size=limits.upload_bytes,
    )
    return [small, large, files]
