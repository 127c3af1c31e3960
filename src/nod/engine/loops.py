"""The stages that look after the database by themselves, and the one way they are run.

A stage looks, does what is due, and says when to look again. It sleeps until then, and is woken
by what is committed meanwhile; none walks the tables to see whether anything is new.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import structlog

from nod.clock import Clock
from nod.domain.errors import NodError, Unavailable
from nod.domain.instant import HOUR, MINUTE, SECOND, Instant
from nod.engine import fire, rescue, sweep
from nod.engine.aside import Aside, Tell
from nod.engine.batches import Batches, Work
from nod.engine.deliver import Deliverer
from nod.engine.drafts import Drafts
from nod.engine.node import Node
from nod.engine.rush import Rush
from nod.engine.sweep import Sweep
from nod.store.effects import Effects, Stage
from nod.store.store import Store

_log = structlog.get_logger("nod.engine")

Look = Callable[[], Awaitable[Instant | None]]

_NEVER: Instant = 1 << 62
# Hints can be lost between processes; a stage with nothing to do looks all the same this often.
_AT_LEAST: Instant = MINUTE
# After an error, and after a look that changed nothing.
_PAUSE: Instant = SECOND


class Loop:
    """Runs one stage: look, sleep until the time it names or until woken, look again."""

    def __init__(self, name: Stage, look: Look, clock: Clock) -> None:
        self.name = name
        self._look = look
        self._clock = clock
        self._woken = asyncio.Event()
        self._until: Instant = 0
        self._past: Instant = 0  # what the last look named, if it was due already
        self._errors = 0  # unexpected ones, in a row
        self._waits_because = ""  # the log has that, and need not have it each second
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name=f"{self.name} stage")

    def wake(self, at: Instant) -> None:
        """There is something to do at `at`, perhaps earlier than the stage thinks."""
        if at < self._until:
            self._woken.set()

    async def stop(self) -> None:
        """Stop after what is under way; its transaction is stored or it is not."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            # From here on a wake means something this look may not have seen.
            self._woken.clear()
            self._until = _NEVER
            next_at = self._not_at_once_again(await self._safe_look())
            self._until = min(next_at, self._clock.now() + _AT_LEAST)
            await self._clock.wait(self._woken, self._until)

    def _not_at_once_again(self, named: Instant) -> Instant:
        """When to look again. What has come due during a look is looked at right after it; but
        what was due then, and is still, will not be done by looking at it without a pause."""
        now, before = self._clock.now(), self._past
        self._past = named if named <= now else 0
        return now + _PAUSE if self._past and named <= before else named

    async def _safe_look(self) -> Instant:
        """Look; after an error, log it and look again soon. A stage never dies."""
        try:
            found = await self._look()
        except NodError as error:
            if error.detail != self._waits_because:
                _log.warning("the stage waits", stage=self.name, reason=error.detail)
            self._waits_because = error.detail
            return self._clock.now() + _PAUSE
        except Exception:  # noqa: BLE001 - a stage goes on, whatever one look runs into
            _log.exception("the stage failed and goes on", stage=self.name)
            pause = min(_PAUSE << min(self._errors, 10), _AT_LEAST)
            self._errors += 1
            return self._clock.now() + pause
        self._errors, self._waits_because = 0, ""
        return _NEVER if found is None else found


class Engine:
    """All stages of one process."""

    def __init__(
        self,
        store: Store,
        deliverer: Deliverer,
        clock: Clock,
        rush: Rush,
        rescues: Sequence[Work[Any]],
        tell: Tell,
        others: Mapping[Stage, Look],
        node: Node,
    ) -> None:
        """`rescues` are done by the rescue stage; `tell` hears of what cannot be handled;
        `others` are the looks of the stages that are made elsewhere. Of all of them those run
        that `node` says."""
        self._rush = rush
        self._store = store
        self._clock = clock
        self._drafts = Drafts()
        self._fires = Batches(store, fire.due_tasks(self._drafts), clock, tell)
        self._rescues = [Batches(store, work, clock, tell) for work in rescues]
        self._unswept = Aside("sweep", clock, tell)
        looks: dict[Stage, Look] = {
            "fire": self.fire,
            "deliver": deliverer.look,
            "rescue": self.rescue,
            "sweep": self.sweep,
            **others,
        }
        self._loops = {
            name: Loop(name, look, clock) for name, look in looks.items() if node.runs(name)
        }

    def start(self) -> None:
        for loop in self._loops.values():
            loop.start()

    async def stop(self) -> None:
        await asyncio.gather(*(loop.stop() for loop in self._loops.values()))

    def wake(self, effects: Effects) -> None:
        """Tell the stages what was committed."""
        self.wake_at(effects.timers)

    def wake_at(self, timers: Mapping[Stage, Instant]) -> None:
        """Tell stages when they have something to do."""
        for stage, at in timers.items():
            if stage in self._loops:
                self._loops[stage].wake(at)

    def look_again(self) -> None:
        """All stages look: what they know of the database may be old."""
        for loop in self._loops.values():
            loop.wake(0)

    async def fire(self) -> Instant | None:
        """Fire everything due, batch by batch, and draft what is due soon; return when there is
        more to do."""
        try:
            await self._fires.work_off(self._fired)
        finally:
            self._rush.end()
        next_at = await self._store.read(lambda tx: tx.tasks.next_fire_at())
        look_at = await self._drafts.prepare(self._store, self._clock, next_at)
        return _earliest(look_at, self._fires.aside.next_at())

    def _fired(self, full: bool) -> None:
        if full:
            self._rush.begin()

    async def rescue(self) -> Instant | None:
        """End everything overdue; return when the next of it is."""
        for rescued in self._rescues:
            await rescued.work_off()
        next_at = await self._store.read(rescue.next_rescue_at)
        return _earliest(next_at, *(each.aside.next_at() for each in self._rescues))

    async def sweep(self) -> Instant | None:
        """Remove everything old; return when to look again."""
        for name, remove in sweep.SWEEPS.items():
            if name not in self._unswept.waiting():
                await self._sweep(name, remove)
        return _earliest(self._clock.now() + HOUR, self._unswept.next_at())

    async def _sweep(self, name: str, remove: Sweep) -> None:
        try:
            while await self._store.write(remove):
                pass
        except Unavailable:
            raise
        except Exception as error:  # noqa: BLE001 - what else is old goes all the same
            self._unswept.put(name, error)


def _earliest(*times: Instant | None) -> Instant | None:
    return min((each for each in times if each is not None), default=None)
