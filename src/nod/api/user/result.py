"""How a run went and what its result changed, as drawn in the app."""

import asyncio

import msgspec
from litestar import Controller, get
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath

from nod.actions import tasks
from nod.actions.result import result_sheet, strip_of, timeline_of
from nod.api.auth import require_user
from nod.api.user.tasks import owned_agent
from nod.app import Nod
from nod.domain.changes import ChangeKind, LineKind, SectionChange
from nod.domain.instant import rfc3339
from nod.domain.model import Agent, User
from nod.domain.strip import Cell, CellState
from nod.domain.timeline import StepKind
from nod.store.store import Tx


class StepView(msgspec.Struct):
    """A part of a run's life; `due` and `ended` are moments."""

    kind: StepKind
    label: str
    start: str
    end: str
    seconds: float


class TimelineView(msgspec.Struct):
    """A run's life. `open`: it is under way, and `end` is now."""

    run_id: str
    start: str
    end: str
    open: bool
    steps: list[StepView]


class LineView(msgspec.Struct):
    """A line of the newer result (same, added) or of the older one (removed)."""

    kind: LineKind
    text: str


class SectionChangeView(msgspec.Struct):
    """A section that changed; `path` are its headings, `lines` null where it is too long."""

    kind: ChangeKind
    title: str
    path: list[str]
    lines: list[LineView] | None


class ChangesView(msgspec.Struct):
    """What a result changed since that of the run `since`; null if there is none to compare."""

    run_id: str
    since: str | None
    summary: str | None
    too_large: bool
    sections: list[SectionChangeView]


class CellView(msgspec.Struct):
    """One entry of a task; `label` says in words how it went."""

    run_id: str
    state: CellState
    at: str
    label: str


class RunResult(Controller):
    """More of one run, for its person."""

    path = "/api/runs/{run_id:str}"
    tags = ("Runs",)
    guards = (require_user,)

    @get("/timeline")
    async def get_timeline(
        self, nod: NamedDependency[Nod], user: NamedDependency[User], run_id: FromPath[str]
    ) -> TimelineView:
        """The run's life from due to its end, step by step."""
        found = await nod.store.read(lambda tx: timeline_of(tx, user, run_id))
        steps = [
            StepView(each.kind, each.label, rfc3339(each.start), rfc3339(each.end), each.seconds)
            for each in found.steps
        ]
        return TimelineView(run_id, rfc3339(found.start), rfc3339(found.end), found.open, steps)

    @get("/changes")
    async def get_changes(
        self, nod: NamedDependency[Nod], user: NamedDependency[User], run_id: FromPath[str]
    ) -> ChangesView:
        """What the result changed since the last completed one before it, by section."""
        found = await nod.store.read(lambda tx: result_sheet(tx, user, run_id))
        changes = await asyncio.to_thread(found.changes, nod.limits)
        if found.former is None or found.since is None or changes is None:
            return ChangesView(run_id, None, None, too_large=False, sections=[])
        return ChangesView(
            run_id,
            found.former.id,
            changes.summary(found.since),
            changes.too_large,
            [_section_view(each) for each in changes.sections],
        )


class TaskStrip(Controller):
    """A task's newest entries at a glance."""

    path = "/api/tasks/{agent_id:str}/{task_id:str}/strip"
    tags = ("Tasks",)
    guards = (require_user,)
    dependencies = {"agent": Provide(owned_agent)}  # noqa: RUF012 - the framework's way

    @get()
    async def get_strip(
        self,
        nod: NamedDependency[Nod],
        user: NamedDependency[User],
        agent: NamedDependency[Agent],
        task_id: FromPath[str],
    ) -> list[CellView]:
        """The newest runs and skipped fires, the oldest first, with their outcome in words."""

        async def look(tx: Tx) -> tuple[Cell, ...]:
            return await strip_of(tx, user, await tasks.get_own(tx, agent, task_id))

        found = await nod.store.read(look)
        return [CellView(each.run_id, each.state, rfc3339(each.at), each.label) for each in found]


def _section_view(each: SectionChange) -> SectionChangeView:
    lines = None
    if each.lines is not None:
        lines = [LineView(line.kind, line.text) for line in each.lines]
    return SectionChangeView(each.kind, each.title, list(each.path), lines)
