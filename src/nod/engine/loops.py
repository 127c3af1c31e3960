"""The stages that look after the database by themselves, and the one way they are run.

A stage looks, does what is due, and says when to look again. It sleeps until then, and is woken
by what is committed meanwhile; none polls.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from functools import partial
from typing import Any

import structlog

from nod.clock import Clock
from nod.domain.errors import NodError, Unavailable
from nod.domain.instant import HOUR, MINUTE, SECOND, Instant
from nod.engine import fire, rescue, sweep
from nod.engine.deliver import Deliverer
from nod.engine.rush import Rush
from nod.store.effects import Effects, Stage
from nod.store.store import Store, Tx

_log = structlog.get_logger("nod.engine")

Look = Callable[[], Awaitable[Instant | None]]
Rescue = Callable[[Tx], Coroutine[Any, Any, int]]

# Hints can be lost between processes; a stage with nothing to do looks all the same this often.
_AT_LEAST: Instant = MINUTE
_AFTER_ERROR: Instant = SECOND


class Loop:
    """Runs one stage: look, sleep until the time it names or until woken, look again."""

    def __init__(self, name: Stage, look: Look, clock: Clock) -> None:
        self.name = name
        self._look = look
        self._clock = clock
        self._woken = asyncio.Event()
        self._until: Instant = 0
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
            self._until = 1 << 62
            next_at = await self._safe_look()
            self._until = min(next_at, self._clock.now() + _AT_LEAST)
            await self._clock.wait(self._woken, self._until)

    async def _safe_look(self) -> Instant:
        """Look; after an error, log it and look again soon. A stage never dies."""
        try:
            found = await self._look()
        except NodError as error:
            _log.warning("the stage waits", stage=self.name, reason=error.detail)
        except Exception:  # noqa: BLE001 - a stage goes on, whatever one look runs into
            _log.exception("the stage failed and goes on", stage=self.name)
        else:
            return 1 << 62 if found is None else found
        return self._clock.now() + _AFTER_ERROR


class Engine:
    """All stages of one process."""

    def __init__(
        self,
        store: Store,
        deliverer: Deliverer,
        clock: Clock,
        rush: Rush,
        rescues: Sequence[Rescue],
    ) -> None:
        """`rescues` end what is overdue, a batch at a time, and say how much there was."""
        self._rescues = rescues
        self._rush = rush
        self._store = store
        self._clock = clock
        looks: dict[Stage, Look] = {
            "fire": self.fire,
            "deliver": deliverer.look,
            "rescue": self.rescue,
            "sweep": self.sweep,
        }
        self._loops = {name: Loop(name, look, clock) for name, look in looks.items()}

    def start(self) -> None:
        for loop in self._loops.values():
            loop.start()

    async def stop(self) -> None:
        await asyncio.gather(*(loop.stop() for loop in self._loops.values()))

    def wake(self, effects: Effects) -> None:
        """Tell the stages what was committed."""
        for stage, at in effects.timers.items():
            self._loops[stage].wake(at)

    async def fire(self) -> Instant | None:
        """Fire everything due, batch by batch; return when the next fire is."""
        while True:
            try:
                fired = await self._store.write(partial(_fire, fire.BATCH))
            except Unavailable:
                raise
            except Exception:  # noqa: BLE001 - the one at fault is found and set aside
                _log.exception("a batch of due tasks failed; trying them one by one")
                fired = await self._fire_alone()
            if fired == fire.BATCH:
                self._rush.begin()
            else:
                self._rush.end()
                return await self._store.read(lambda tx: tx.tasks.next_fire_at())

    async def _fire_alone(self) -> int:
        """Fire the due tasks one by one, and set aside those that cannot be."""
        task_ids = await self._store.read(_due_ids)
        for task_id in task_ids:
            try:
                await self._store.write(partial(_fire_task, task_id))
            except Unavailable:
                raise
            except Exception as error:  # noqa: BLE001 - its owner is told
                _log.exception("this task cannot be fired and is paused", task_id=task_id)
                why = error.detail if isinstance(error, NodError) else repr(error)
                await self._store.write(partial(_set_aside, task_id, why))
        return len(task_ids)

    async def rescue(self) -> Instant | None:
        for rescue_some in self._rescues:
            while await self._store.write(rescue_some):
                pass
        return await self._store.read(rescue.next_rescue_at)

    async def sweep(self) -> Instant | None:
        while await self._store.write(sweep.sweep_once):
            pass
        return self._clock.now() + HOUR


async def _fire(limit: int, tx: Tx) -> int:
    return await fire.fire_due(tx, limit)


async def _due_ids(tx: Tx) -> list[str]:
    return [due.task.id for due in await tx.tasks.due(tx.now, fire.BATCH)]


async def _fire_task(task_id: str, tx: Tx) -> None:
    await fire.fire_task(tx, task_id)


async def _set_aside(task_id: str, error: str, tx: Tx) -> None:
    await fire.set_aside(tx, task_id, error)
