"""How PostgreSQL runs each statement over a long history, with one plan for all values and with one
for these values: the driver prepares statements, and the server may take either.

    PYTHONPATH=tests .venv/bin/python -m support.plans 1000000

prints what each statement takes over a million runs, events, deliveries, messages and tasks, and
fails for the same reasons as `store/test_plans_on_postgres.py`, which does it over 60,000.
"""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

from nod.store.migrate import load_migrations
from nod.store.postgres_schema import migrate
from nod.store.rows import fragments
from nod.store.statements import Statement, load_statements
from support.postgres import connected, databases

Mode = Literal["generic", "custom"]
MODES: tuple[Mode, ...] = ("generic", "custom")
FEWEST = 60_000
_STORE = files("nod.store")
_HISTORY = Path(__file__).parents[1] / "store" / "history.sql"
_GROWN = """
CREATE FUNCTION times (few bigint) RETURNS bigint IMMUTABLE LANGUAGE sql RETURN few * {factor};
CREATE FUNCTION grown (few bigint) RETURNS SETOF bigint LANGUAGE sql
  AS 'SELECT generate_series(1, few * {factor})';
"""
# These have few rows at any time: who there is, and what is on its way.
_FEW = {
    *("agents", "users", "notify_targets", "notice_sends", "server_keys", "setup_links"),
    *("nodes", "connections"),
}
# What runs once an hour, a little at a time.
_HOURLY = "sweep_"
# A look-up for each agent, when somebody asks for the metrics.
_OF_ALL_AGENTS = {"oldest_undelivered"}
# The server itself never keeps one plan for all words (0002_app.postgres.sql).
_NEVER_GENERIC = {"search_messages"}
# What one look of a person or a stage may touch, whatever is stored; pages are of 8 KiB.
_MOST_PAGES = 4_000
_MOST_ROWS = 5_000

# Somebody in the middle of it all, at a moment when a few things are due.
_VALUES: Mapping[str, str] = {
    "agent_id": "'agt_8'",
    "agents": "'8'",
    "conversation_id": "'cnv_8'",
    "day_before": "4000",
    "decision_id": "'dec_8'",
    "day": "'2026-01-09'",
    "each": "20",
    "event_id": "'evt_8'",
    "first": "'2026-01-01'",
    "kinds": "NULL",
    "keep": "100",
    "last": "'2026-01-30'",
    "limit": "100",
    "most": "100",
    "now": "5000",
    "owner_id": "'usr_9'",
    "run_id": "'run_8'",
    "states": "'completed failed'",
    "status": "NULL",
    "subject": "'tsk_8'",
    "task_id": "'tsk_8'",
    "task_ids": """'["tsk_8", "tsk_9"]'""",
    "trigger_id": "'trg_8'",
    "user_id": "'usr_9'",
    "words": "'t'",
}
_OF_TYPE: Mapping[str, str] = {
    "int8": "5000",
    "int4": "100",
    "text": "'x'",
    "varchar": "'x'",
    "bool": "false",
    "float8": "1",
    "bytea": "''",
}


@dataclass(frozen=True, slots=True)
class Look:
    """How one statement was run."""

    name: str
    mode: Mode
    walked: frozenset[str]  # tables that were read from end to end
    pages: int  # that were touched; 0: it was only planned
    rows: int  # that were looked at, where there are many
    ms: float

    @property
    def fault(self) -> str | None:
        """What must not be."""
        tables = self.walked - _FEW
        if self.name.startswith(_HOURLY) or self.name in _OF_ALL_AGENTS:
            return None
        if self.mode == "generic" and self.name in _NEVER_GENERIC:
            return None
        if tables:
            return f"{self.name} walks {', '.join(sorted(tables))} ({self.mode} plan)"
        if self.pages > _MOST_PAGES or self.rows > _MOST_ROWS:
            return f"{self.name} looks at {self.rows} rows, {self.pages} pages ({self.mode} plan)"
        return None


@asynccontextmanager
async def history(rows: int) -> AsyncIterator[Any]:
    """A connection to a database with so many runs, events and so on, in multiples of FEWEST."""
    async with databases().bare() as url, connected(url) as connection:
        await migrate(connection, load_migrations(_STORE / "migrations", "postgres"), 0)
        await connection.execute(_GROWN.format(factor=-(-rows // FEWEST)))
        await connection.execute(_HISTORY.read_text())
        await connection.execute("SET jit = off")
        yield connection


async def looks(connection: Any) -> AsyncIterator[Look]:
    """All statements, in both ways."""
    for name, statement in load_statements(_STORE / "sql", "postgres", fragments()).items():
        types = [each.name for each in (await connection.prepare(statement.text)).get_parameters()]
        for mode in MODES:
            yield await _look(connection, statement, types, mode, name)


async def _look(
    connection: Any, statement: Statement, types: list[str], mode: Mode, name: str
) -> Look:
    run = "INSERT INTO" not in statement.text and not name.startswith(_HOURLY)
    values = [_value(*each) for each in zip(statement.parameters, types, strict=True)]
    execute = "EXECUTE plan" + (f" ({', '.join(values)})" if values else "")
    await connection.execute(f"SET plan_cache_mode = force_{mode}_plan")
    await connection.execute(f"PREPARE plan AS {statement.text}")
    try:
        for _ in range(2):  # the second time what it needs is in memory
            plan = await _explained(connection, execute, run=run)
    finally:
        await connection.execute("DEALLOCATE plan")
    top = plan["Plan"]
    return Look(
        name,
        mode,
        frozenset(each["Relation Name"] for each in _scans(top) if each["Node Type"] == "Seq Scan"),
        top["Shared Hit Blocks"] + top["Shared Read Blocks"] if run else 0,
        sum(_seen(each) for each in _scans(top) if each["Relation Name"] not in _FEW) if run else 0,
        plan.get("Execution Time", 0.0),
    )


async def _explained(connection: Any, execute: str, *, run: bool) -> Any:
    """The plan; of what is run nothing stays."""
    how = "ANALYZE, BUFFERS, FORMAT JSON" if run else "FORMAT JSON"
    transaction = connection.transaction()
    await transaction.start()
    try:
        return json.loads(await connection.fetchval(f"EXPLAIN ({how}) {execute}"))[0]
    finally:
        await transaction.rollback()


def _value(name: str, type_: str) -> str:
    if type_.endswith("[]"):
        return f"ARRAY[{_value(name, type_[:-2])}]"
    if name == "before" or (name == "at" and type_ == "int8"):
        return "'zzz'" if type_ != "int8" else "1000000000000"
    return _VALUES.get(name, _OF_TYPE.get(type_, "NULL"))


def _scans(plan: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Where the plan reads a table, with or without an index."""
    if "Relation Name" in plan and plan["Node Type"].endswith("Scan"):
        yield plan
    for each in plan.get("Plans", ()):
        yield from _scans(each)


def _seen(scan: Mapping[str, Any]) -> int:
    removed = ("Rows Removed by Filter", "Rows Removed by Index Recheck")
    each = float(scan["Actual Rows"]) + sum(float(scan.get(name, 0)) for name in removed)
    return round(each * int(scan["Actual Loops"]))


async def inserting(connection: Any, table: str) -> float:
    """How long a thousand rows more take in one statement, in milliseconds on the server."""
    columns = fragments().get(f"new_{table}", "").split(", ")
    other = {"id": "'new_' || id", "scheduled_for": "scheduled_for + 100000000"}
    values = ", ".join(other.get(each, each) for each in columns)
    plan = await _explained(
        connection,
        f"INSERT INTO {table} ({', '.join(columns)})"  # noqa: S608 - our own names
        f" SELECT {values} FROM {table} LIMIT 1000",
        run=True,
    )
    took: float = plan["Execution Time"]
    return took


async def main(rows: int) -> int:
    """Print what each statement takes. 1 if one of them does what it must not, else 0."""
    faults = []
    async with history(rows) as connection:
        async for look in looks(connection):
            cost = f"{look.ms:10.3f} ms{look.pages:>8} pages{look.rows:>8} rows"
            _say(f"{look.name:32}{look.mode:8}{cost}")
            faults += [look.fault] if look.fault else []
        for table in ("runs", "events", "deliveries", "messages"):
            _say(f"1000 rows into {table:25}{await inserting(connection, table):10.3f} ms")
    for fault in faults:
        _say(fault)
    return int(bool(faults))


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(asyncio.run(main(int(sys.argv[1]))))
