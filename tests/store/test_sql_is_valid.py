"""Every statement is valid on the schema and used; the hot ones find their rows by an index."""

import re
import sqlite3
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest

from nod.store.migrate import load_migrations, migrate
from nod.store.rows import fragments
from nod.store.statements import load_statements

_STORE = files("nod.store")
_STATEMENTS = load_statements(_STORE / "sql", "sqlite", fragments())
# What is asked at each fire, delivery, call or completion, or of the longest histories.
_HOT = (
    "active_runs",
    "agents_to_attempt",
    "busy_tasks",
    "causes_over",
    "completed_before",
    "count_between",
    "count_triggered",
    "count_waiting_calls",
    "decisions_of_owner",
    "deliveries_of_agent",
    "due_attempts",
    "due_for_polling",
    "due_retries",
    "due_tasks",
    "ended_after",
    "ended_before",
    "ended_events_of_agent",
    "expired_events",
    "failed_deliveries_of_agent",
    "feed_open",
    "fired",
    "keep_refused_calls",
    "last_refused_call",
    "lengths_of_user",
    "messages_after",
    "next_attempt_at",
    "next_deadline",
    "next_expiry",
    "next_fire_at",
    "next_queued_run",
    "next_retry_at",
    "oldest_waiting_run",
    "open_decisions",
    "open_look",
    "overdue_runs",
    "past_calls",
    "questions_of_run",
    "reader",
    "run_end",
    "rule_for",
    "runs_across",
    "runs_between",
    "runs_of_task",
    "session_by_token",
    "settle_run",
    "task_by_trigger",
    "task_names",
    "tasks_with_fires",
    "triggers_to_poll",
    "trusted_sender",
    "undelivered",
    "unfinished_retries",
    "waiting_calls",
    "waiting_events_of_agent",
)
# Those that look for runs of a task that have not ended, among the many that have.
_OF_ACTIVE_RUNS = (
    "active_runs",
    "busy_tasks",
    "count_triggered",
    "due_for_polling",
    "oldest_waiting_run",
)
# Those that look for what has not been acknowledged, among all that was sent.
_OF_WAITING_EVENTS = ("feed_open", "triggers_to_poll", "undelivered", "waiting_events_of_agent")
# All rows of a table or of an index. "SCAN later" and the like walk what the query has just found;
# "SEARCH events" without an index is how SQLite says that it looks through all rows for a minimum.
_FULL_SCAN = re.compile(
    r"SCAN (?:TABLE )?(?!later$|counted$|listed$|always$|json_each |CONSTANT ROW$)|SEARCH \w+$"
)


@pytest.fixture(scope="module")
def schema(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(tmp_path_factory.mktemp("schema") / "nod.db", isolation_level=None)
    migrate(connection, load_migrations(_STORE / "migrations"), 0)
    yield connection
    connection.close()


def _plan(schema: sqlite3.Connection, name: str) -> list[str]:
    statement = _STATEMENTS[name]
    values = [None] * len(statement.places)
    return [row[3] for row in schema.execute(f"EXPLAIN QUERY PLAN {statement.text}", values)]


@pytest.mark.parametrize("name", sorted(_STATEMENTS))
def test_a_statement_is_valid_on_the_schema(schema: sqlite3.Connection, name: str) -> None:
    statement = _STATEMENTS[name]
    assert schema.execute(f"EXPLAIN {statement.text}", [None] * len(statement.places)).fetchall()


@pytest.mark.parametrize("name", _HOT)
def test_a_hot_statement_walks_no_table(schema: sqlite3.Connection, name: str) -> None:
    plan = _plan(schema, name)
    assert not [step for step in plan if _FULL_SCAN.search(step)], plan


@pytest.mark.parametrize("name", _OF_ACTIVE_RUNS)
def test_a_tasks_active_runs_are_found_without_walking_its_history(
    schema: sqlite3.Connection, name: str
) -> None:
    plan = _plan(schema, name)
    assert [step for step in plan if "runs_active" in step], plan
    assert not [step for step in plan if "runs_by_task" in step], plan


@pytest.mark.parametrize("name", ["next_queued_run", "run_end"])
def test_a_tasks_queue_is_found_without_walking_what_is_under_way(
    schema: sqlite3.Connection, name: str
) -> None:
    plan = _plan(schema, name)
    assert [step for step in plan if "runs_queued" in step], plan
    assert not [step for step in plan if "runs_active" in step or "runs_by_task" in step], plan


@pytest.mark.parametrize("name", _OF_WAITING_EVENTS)
def test_what_waits_is_found_without_walking_all_that_was_sent(
    schema: sqlite3.Connection, name: str
) -> None:
    plan = _plan(schema, name)
    assert [step for step in plan if "events_waiting" in step], plan


def test_what_failed_is_found_without_walking_what_went_well(schema: sqlite3.Connection) -> None:
    plan = _plan(schema, "failed_deliveries_of_agent")
    assert [step for step in plan if "deliveries_failed" in step], plan
    plan = _plan(schema, "ended_events_of_agent")
    assert [step for step in plan if "events_ended" in step], plan


def test_what_the_metrics_ask_for_walks_the_agents_and_what_waits_alone(
    schema: sqlite3.Connection,
) -> None:
    plan = "\n".join(_plan(schema, "oldest_undelivered"))
    assert "SEARCH o USING INDEX events_waiting (agent_id=?)" in plan, plan
    assert plan.count("SEARCH") == 2, plan  # the other is for the agents
    (found,) = _plan(schema, "count_all_waiting")
    assert re.search(r"INDEX decisions_(open|expiry|held|warn)\b", found), (
        found
    )  # pending ones only


def test_words_are_looked_up_in_the_index_from_the_newest_on(schema: sqlite3.Connection) -> None:
    found, message = _plan(schema, "search_messages")
    # M: by the words, <: below a row. There is no step that sorts.
    assert re.fullmatch(r"SCAN s VIRTUAL TABLE INDEX \d+:M\d<", found)
    assert "INTEGER PRIMARY KEY" in message


def test_every_statement_is_used_by_a_repository() -> None:
    package = Path(str(_STORE))
    source = "\n".join(file.read_text() for file in package.glob("*.py"))
    assert [name for name in _STATEMENTS if f'"{name}"' not in source] == []


def test_every_verb_of_a_repository_is_used_outside_the_store() -> None:
    package = Path(str(_STORE))
    nod = package.parent
    source = "\n".join(file.read_text() for file in nod.rglob("*.py"))
    unused = []
    for noun in (
        "calls",
        "notify",
        "people",
        "tasks",
        "runs",
        "events",
        "chat",
        "rules",
        "search",
        "sessions",
    ):
        verbs = re.findall(r"^    async def (\w+)\(", (package / f"{noun}.py").read_text(), re.M)
        unused += [
            f"{noun}.{verb}"
            for verb in verbs
            if not re.search(rf"\.{noun}\.{verb}\(|self\.{verb}\(", source)
        ]
    assert unused == []


def test_a_span_of_an_agenda_is_found_by_the_time_of_its_entries(
    schema: sqlite3.Connection,
) -> None:
    span = "(task_id=? AND scheduled_for>? AND scheduled_for<?)"
    indexes = ("runs_by_task", "runs_not_completed", "runs_active")
    for name in ("count_between", "runs_between"):
        plan = "\n".join(_plan(schema, name))
        assert [each for each in indexes if f"{each} {span}" not in plan] == [], plan
    # All that was due is counted without looking at it.
    assert f"COVERING INDEX runs_by_task {span}" in "\n".join(_plan(schema, "count_between"))


def test_what_reaches_into_an_agenda_is_found_by_what_it_is(schema: sqlite3.Connection) -> None:
    plan = "\n".join(_plan(schema, "runs_across"))
    assert "runs_active (task_id=? AND scheduled_for<?)" in plan, plan
    assert "runs_by_task (task_id=? AND scheduled_for>? AND scheduled_for<?)" in plan, plan
    assert "runs_long (task_id=? AND finished_at>?)" in plan, plan
