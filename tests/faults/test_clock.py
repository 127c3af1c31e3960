"""The wall clock is set while Nod runs: nothing fires twice, and what is missed follows policy."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from nod.actions.agents import Credentials
from nod.domain.instant import SECOND, rfc3339
from nod.domain.model import Run, Task
from support.clock import MONDAY_9, FakeClock
from support.inprocess import InProcess, running, until

HOUR_S = 3600
DAY_S = 24 * HOUR_S


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def nod(tmp_path: Path, clock: FakeClock) -> AsyncIterator[InProcess]:
    async with running(tmp_path, clock) as started:
        yield started


@pytest.fixture
async def ada(nod: InProcess) -> Credentials:
    return await nod.add_agent()


async def hourly(nod: InProcess, who: Credentials, **given: Any) -> Task:
    return await nod.add_task(who, "0 * * * *", **given)


async def runs(nod: InProcess, task: Task) -> list[Run]:
    """The task's entries, the oldest first."""
    found = await nod.nod.store.read(lambda tx: tx.runs.of_task(task.id, 1000))
    return found[::-1]


async def fires(nod: InProcess, task: Task) -> list[str]:
    """When the task's runs were due, by the clock's hour."""
    return [rfc3339(run.scheduled_for)[11:16] for run in await runs(nod, task)]


async def settle(nod: InProcess, who: Credentials, clock: FakeClock) -> None:
    """Return when everything due by now has fired: a task made to fire now has."""
    at = rfc3339(clock.now() + SECOND)
    last = await nod.add_task(who, "once", run_at=at)
    clock.advance(1)
    await until(lambda: runs(nod, last))


async def test_an_hour_back_fires_nothing_again_and_goes_on_at_the_next_hour(
    nod: InProcess, ada: Credentials, clock: FakeClock
) -> None:
    task = await hourly(nod, ada)
    clock.advance(HOUR_S + 30)
    await settle(nod, ada, clock)
    assert await fires(nod, task) == ["10:00"]

    clock.set_wall(clock.now() - HOUR_S * SECOND)
    await settle(nod, ada, clock)
    clock.advance(HOUR_S)  # ten o'clock comes a second time
    await settle(nod, ada, clock)
    assert await fires(nod, task) == ["10:00"]

    clock.advance(HOUR_S)
    await settle(nod, ada, clock)
    assert await fires(nod, task) == ["10:00", "11:00"]


async def test_a_task_edited_while_the_clock_is_behind_does_not_repeat_its_fire(
    nod: InProcess, ada: Credentials, clock: FakeClock
) -> None:
    task = await hourly(nod, ada)
    clock.advance(HOUR_S + 30)
    await settle(nod, ada, clock)
    clock.set_wall(clock.now() - HOUR_S * SECOND)
    async with nod.http(ada) as http:
        changed = await http.patch(f"/tasks/{task.id}", json={"schedule": "*/30 * * * *"})
        assert changed.status_code == 200, changed.text
    clock.advance(HOUR_S)
    await settle(nod, ada, clock)
    times = await fires(nod, task)
    assert len(times) == len(set(times))
    assert times.count("10:00") == 1


@pytest.mark.parametrize(
    ("policy", "ran", "skipped"),
    [("latest", 1, 23), ("all", 24, 0), ("skip", 1, 23)],
)
async def test_a_day_forward_is_downtime_and_follows_the_catch_up_policy(
    nod: InProcess, ada: Credentials, clock: FakeClock, policy: str, ran: int, skipped: int
) -> None:
    task = await hourly(nod, ada, catch_up=policy)
    clock.set_wall(MONDAY_9 + DAY_S * SECOND)
    await settle(nod, ada, clock)
    found = await runs(nod, task)
    assert [run.scheduled_for for run in found] == [
        MONDAY_9 + hour * HOUR_S * SECOND for hour in range(1, 25)
    ]
    statuses = [run.status for run in found]
    assert (statuses.count("pending"), statuses.count("skipped")) == (ran, skipped)
    assert all(run.reason for run in found if run.status == "skipped")
    assert found[-1].status == "pending"


async def test_a_day_forward_and_back_again_leaves_every_fire_with_one_entry(
    nod: InProcess, ada: Credentials, clock: FakeClock
) -> None:
    task = await hourly(nod, ada)
    clock.set_wall(MONDAY_9 + DAY_S * SECOND)
    await settle(nod, ada, clock)
    clock.set_wall(MONDAY_9 + HOUR_S * SECOND)
    for _ in range(5):
        clock.advance(HOUR_S)
        await settle(nod, ada, clock)
    found = [run.scheduled_for for run in await runs(nod, task)]
    assert len(found) == len(set(found)) == 24
    clock.set_wall(MONDAY_9 + (DAY_S + HOUR_S) * SECOND)
    await settle(nod, ada, clock)
    assert (await fires(nod, task))[-2:] == ["09:00", "10:00"]


async def test_a_one_time_task_fires_once_whatever_the_clock_does(
    nod: InProcess, ada: Credentials, clock: FakeClock
) -> None:
    task = await nod.add_task(ada, "once", run_at=rfc3339(MONDAY_9 + HOUR_S * SECOND))
    clock.advance(HOUR_S)
    await settle(nod, ada, clock)
    clock.set_wall(MONDAY_9)
    await settle(nod, ada, clock)
    clock.advance(2 * HOUR_S)
    await settle(nod, ada, clock)
    assert await fires(nod, task) == ["10:00"]
