"""The agent's side of the API: everything under /api/agent."""

from litestar import Router
from litestar.types import ControllerRouterHandler

from nod.api.agent.events import AgentDecisions, AgentEvents
from nod.api.agent.runs import AgentOutputs, AgentRuns
from nod.api.agent.tasks import AgentSchedule, AgentTasks, AgentUsage
from nod.domain.limits import Limits


def routes(limits: Limits) -> list[ControllerRouterHandler]:
    """What to mount. The app gives the dependency `nod` to all of them."""
    small = Router(
        "/", route_handlers=[AgentTasks, AgentRuns, AgentDecisions, AgentSchedule, AgentUsage]
    )
    # A deliverable and a picture are larger than other bodies.
    large = Router(
        "/",
        route_handlers=[AgentOutputs, AgentEvents],
        request_max_body_size=limits.event_body_bytes,
    )
    return [small, large]
