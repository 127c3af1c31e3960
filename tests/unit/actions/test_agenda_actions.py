"""What the store brings to an agenda: all that is a person's, and nothing that is not."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import msgspec
import pytest

from nod.actions import accounts, agents, tasks
from nod.actions.agenda import AgendaOf, agenda_of, tallies_of
from nod.actions.agents import Credentials
from nod.delivery.address_guard import AddressGuard
from nod.domain.agenda_days import Day, whole_day
from nod.domain.errors import NotFound
from nod.domain.instant import DAY, HOUR, MINUTE, Instant
from nod.domain.limits import Limits
from nod.domain.model import Run, Task, User
from nod.domain.runs import make_run, skipped_run
from nod.domain.task_fields import TaskFields
from nod.store.store import Tx
from support.agendas import done
from support.clock import MONDAY_9
from support.world import World, open_world

MONDAY: Instant = MONDAY_9 - 9 * HOUR
TODAY = whole_day(date(2026, 3, 2), "UTC")
YESTERDAY = whole_day(date(2026, 3, 1), "UTC")
TOMORROW = whole_day(date(2026, 3, 3), "UTC")


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with open_world(tmp_path) as opened:
        yield opened


async def look(world: World, *days: Day, agent_id: str | None = None) -> AgendaOf:
    wanted = days or (TODAY,)
    return await world.store.read(lambda tx: agenda_of(tx, world.owner, wanted, agent_id))


async def insert(world: World, *runs: Run) -> None:
    await world.store.write(lambda tx: tx.runs.insert(runs))


async def second_agent(world: World) -> Credentials:
    return await world.store.write(
        lambda tx: agents.create_agent(tx, world.vault, AddressGuard([]), world.owner, "Bob")
    )


async def task_of(world: World, who: Credentials, schedule: str) -> Task:
    fields = msgspec.convert({"name": "Other", "prompt": "Go.", "schedule": schedule}, TaskFields)
    return await world.store.write(
        lambda tx: tasks.create(tx, world.vault, who.agent, fields, "user")
    )


async def test_a_day_has_what_is_in_the_store_and_what_the_schedules_say(world: World) -> None:
    task = await world.task("0 12 * * *", name="Digest")
    ran = done(task, MONDAY + HOUR, MINUTE)
    await insert(world, ran, done(task, MONDAY - 2 * DAY), done(task, MONDAY + DAY))
    found = await look(world)
    assert [(each.run_id, each.state) for each in found.agenda.entries] == [
        (ran.id, "done"),
        (None, "due"),
    ]
    assert [each.id for each in found.agents] == [world.agent.id]
    assert found.agenda.tallies[0].total == 2


async def test_fires_to_come_take_as_long_as_the_median_of_the_last_five_runs(
    world: World,
) -> None:
    task = await world.task("0 12 * * *")
    lengths = (60, 1, 2, 3, 50, 4)
    runs = [
        done(task, MONDAY - (6 - place) * DAY, length * MINUTE)
        for place, length in enumerate(lengths)
    ]
    await insert(world, *runs)
    (ahead,) = (await look(world)).agenda.entries
    assert ahead.end - ahead.at == 3 * MINUTE


async def test_clashes_are_found_within_an_agent(world: World) -> None:
    await world.task("0 12 * * *", name="Backup")
    await world.task("0 12 * * *", name="Report")
    bob = await second_agent(world)
    await task_of(world, bob, "0 12 * * *")
    found = await look(world)
    (clash,) = found.clashes
    assert (clash.agent_id, clash.task_names) == (world.agent.id, ("Backup", "Report"))
    assert {each.name for each in found.agents} == {"Ada", "Bob"}


async def test_one_agent_alone_is_shown_where_it_is_named(world: World) -> None:
    await insert(world, done(await world.task("0 12 * * *"), MONDAY_9 - HOUR))
    bob = await second_agent(world)
    theirs = await task_of(world, bob, "0 13 * * *")
    await insert(world, done(theirs, MONDAY_9 - HOUR, 2 * HOUR))
    found = await look(world, agent_id=bob.agent.id)
    assert {each.task_id for each in found.agenda.entries} == {theirs.id}
    assert [each.name for each in found.agents] == ["Bob"]
    (tally,) = await world.store.read(lambda tx: tallies_of(tx, world.owner, [TODAY], bob.agent.id))
    assert dict(tally.counts) == {"done": 1, "due": 1}


async def test_somebody_elses_agent_is_as_if_it_did_not_exist(world: World) -> None:
    async def eve(tx: Tx) -> User:
        return await accounts.create_user(tx, "eve@example.org", "no password", "Eve")

    await insert(world, done(await world.task("0 12 * * *"), MONDAY_9 - HOUR))
    stranger = await world.store.write(eve)
    empty = await world.store.read(lambda tx: agenda_of(tx, stranger, [TODAY], None))
    assert (empty.agents, empty.agenda.entries) == ((), ())
    with pytest.raises(NotFound):
        await world.store.read(lambda tx: agenda_of(tx, stranger, [TODAY], world.agent.id))
    with pytest.raises(NotFound):
        await world.store.read(lambda tx: tallies_of(tx, stranger, [TODAY], world.agent.id))


async def test_what_a_removed_task_did_stays_and_it_has_nothing_to_come(world: World) -> None:
    task = await world.task("0 12 * * *", name="Gone")
    await insert(world, done(task, MONDAY_9 - HOUR), done(task, MONDAY - HOUR, 2 * HOUR))
    await world.store.write(lambda tx: tasks.remove(tx, world.agent, task.id))
    found = await look(world)
    assert [(each.task_name, each.state) for each in found.agenda.entries] == [("Gone", "done")]
    assert [each.task_name for each in found.agenda.carried] == ["Gone"]
    assert (await look(world, TOMORROW)).agenda.entries == ()


@pytest.mark.parametrize(
    ("due", "ended", "is_carried"),
    [
        (MONDAY - HOUR, MONDAY + 1, True),
        (MONDAY - HOUR, MONDAY, False),
        (MONDAY - DAY, MONDAY + HOUR, True),
        (MONDAY - 20 * DAY, MONDAY + HOUR, True),
        (MONDAY - 20 * DAY, MONDAY - HOUR, False),
        (MONDAY - 20 * DAY, MONDAY + 30 * DAY, True),
    ],
)
async def test_what_reaches_into_a_day_is_carried_however_long_it_took(
    world: World, due: Instant, ended: Instant, is_carried: bool
) -> None:
    task = await world.task("event")
    run = done(task, due, ended - due)
    await insert(world, run)
    found = await look(world)
    assert [each.run_id for each in found.agenda.carried] == [run.id] * is_carried
    assert found.agenda.entries == ()


async def test_a_run_that_is_still_under_way_is_carried_into_today_and_not_beyond(
    world: World,
) -> None:
    task = await world.task("event")
    due = MONDAY - 40 * DAY
    waiting = replace(make_run(task, due, due, "event"), status="waiting", started_at=due)
    await insert(world, waiting)
    assert [each.state for each in (await look(world)).agenda.carried] == ["waiting"]
    assert (await look(world, TOMORROW)).agenda.carried == ()


async def test_a_gap_of_days_is_on_each_of_them_and_a_short_one_on_its_own(world: World) -> None:
    task = await world.task("event")
    long = skipped_run(task, MONDAY_9, MONDAY - 3 * DAY, "schedule", "missed", MONDAY + HOUR)
    short = skipped_run(task, MONDAY_9, MONDAY - HOUR, "manual", "missed", MONDAY - 1)
    single = skipped_run(task, MONDAY_9, MONDAY - 2 * HOUR, "manual", "missed")
    await insert(world, long, short, single)
    assert [each.run_id for each in (await look(world)).agenda.carried] == [long.id]
    assert [each.run_id for each in (await look(world, YESTERDAY)).agenda.carried] == [long.id]


async def test_the_counts_of_days_are_those_of_the_whole_agenda(world: World) -> None:
    task = await world.task("*/30 * * * *")
    await insert(world, *(done(task, MONDAY - DAY + place * HOUR) for place in range(30)))
    days = (YESTERDAY, TODAY, TOMORROW)
    whole = (await look(world, *days)).agenda.tallies
    counts = await world.store.read(lambda tx: tallies_of(tx, world.owner, days, None))
    assert counts == whole
    assert [each.total for each in counts] == [24, 6 + 29, 48]


async def test_of_a_task_that_runs_too_often_what_went_wrong_is_there_and_the_rest_counted(
    tmp_path: Path,
) -> None:
    async with open_world(tmp_path, Limits(agenda_fires=5)) as world:
        task = await world.task("event")
        runs = [done(task, MONDAY + place * MINUTE) for place in range(40)]
        runs[30] = replace(runs[30], status="failed", error="timeout")
        await insert(world, *runs)
        found = (await look(world)).agenda
        assert [each.run_id for each in found.entries] == [runs[30].id]
        assert found.bands[0].words == "39 more done"
        five = Day(TODAY.date, MONDAY, MONDAY + 5 * MINUTE)
        assert len((await look(world, five)).agenda.entries) == 5


async def test_an_agenda_of_no_days_is_empty(world: World) -> None:
    found = await world.store.read(lambda tx: agenda_of(tx, world.owner, [], None))
    assert (found.agenda.tallies, found.agenda.entries) == ((), ())
