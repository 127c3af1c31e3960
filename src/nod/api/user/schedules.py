"""What a schedule means, before it is saved."""

import msgspec
from litestar import Controller, post
from litestar.di import NamedDependency
from litestar.params import JSONBody
from msgspec import UNSET

from nod.actions.agents import get_agent
from nod.actions.schedule_preview import preview_edit, preview_new
from nod.api.auth import require_user
from nod.api.views import at
from nod.app import Nod
from nod.domain.errors import InvalidInput
from nod.domain.instant import rfc3339
from nod.domain.model import User
from nod.domain.schedule_preview import Change, Collision, SchedulePreview
from nod.domain.task_fields import Maybe, Number, TaskFields, Text
from nod.store.store import Tx


class PreviewFields(msgspec.Struct):
    """The fields of a task that say when, as they would be saved. With `agent_id`, what the fires
    fall together with is looked for; with `task_id` as well, what the edit changes."""

    when: Text = UNSET
    schedule: Text = UNSET
    run_at: Maybe = UNSET
    timezone: Maybe = UNSET
    starts_at: Maybe = UNSET
    ends_at: Maybe = UNSET
    spread_s: Number = UNSET
    agent_id: str | None = None
    task_id: str | None = None
    count: int = 5


_SHARED = ("when", "schedule", "run_at", "timezone", "starts_at", "ends_at", "spread_s")


class FireView(msgspec.Struct):
    """A fire in UTC, and as the zone's clock shows it; `remark` says what is special about it."""

    at: str
    local: str
    remark: str


class CollisionView(msgspec.Struct):
    """Another task of the agent with which fires fall together; start and end are of its run at
    the first of them, as long as its last runs took."""

    task_id: str
    task_name: str
    fires: list[str]
    start: str
    end: str
    sentence: str


class ChangeView(msgspec.Struct):
    """What the edit does to the fires up to `until`, the end of the month; not `complete` where
    there are more than are counted."""

    removes: int
    adds: int
    until: str
    complete: bool
    sentence: str


class SchedulePreviewView(msgspec.Struct):
    """`sentence` is what a person confirms; `schedule` and `run_at` are what would be saved."""

    sentence: str
    description: str
    schedule: str
    run_at: str | None
    timezone: str
    fires: list[FireView]
    notes: list[str]
    collisions: list[CollisionView]
    change: ChangeView | None


class Schedules(Controller):
    """Schedules."""

    path = "/api/schedules"
    tags = ("Tasks",)
    guards = (require_user,)

    @post("/preview", status_code=200)
    async def preview_schedule(
        self,
        nod: NamedDependency[Nod],
        user: NamedDependency[User],
        data: JSONBody[PreviewFields],
    ) -> SchedulePreviewView:
        """What a schedule means, in words ("every weekday at 9") or as cron. Saves nothing."""
        if not 1 <= data.count <= nod.limits.page_items:
            most = nod.limits.page_items
            raise InvalidInput(f"count must be between 1 and {most}; got {data.count}")
        given = TaskFields(**{name: getattr(data, name) for name in _SHARED})

        async def look(tx: Tx) -> SchedulePreview:
            if data.agent_id is None and data.task_id is not None:
                raise InvalidInput("task_id needs the agent_id of its agent beside it")
            agent = None if data.agent_id is None else await get_agent(tx, user, data.agent_id)
            if agent is None or data.task_id is None:
                return await preview_new(tx, user, agent, given, data.count)
            return await preview_edit(tx, agent, data.task_id, given, data.count)

        return schedule_preview_view(await nod.store.read(look))


def schedule_preview_view(found: SchedulePreview) -> SchedulePreviewView:
    return SchedulePreviewView(
        sentence=found.sentence,
        description=found.description,
        schedule=found.schedule,
        run_at=at(found.run_at),
        timezone=found.timezone,
        fires=[FireView(rfc3339(fire.at), fire.local, fire.remark) for fire in found.fires],
        notes=list(found.notes),
        collisions=[_collision(each) for each in found.collisions],
        change=None if found.change is None else _change(found.change),
    )


def _collision(each: Collision) -> CollisionView:
    fires = [rfc3339(fire) for fire in each.fires]
    start, end = rfc3339(each.start), rfc3339(each.end)
    return CollisionView(each.task_id, each.task_name, fires, start, end, each.sentence)


def _change(each: Change) -> ChangeView:
    return ChangeView(each.removes, each.adds, rfc3339(each.until), each.complete, each.sentence)
