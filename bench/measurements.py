"""What is measured, with whom, and how much of it."""

from __future__ import annotations

import importlib.util
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from bench.contest import Column, Contestant, Measurement
from bench.postgres import Databases

PEERS_NOTE = (
    "Peers start a job that does nothing, in their own process. Nod stores a run and an event and\n"
    "pushes it over a WebSocket to an agent in another process; its figure is the arrival there."
)


def measurements(databases: Databases, directory: Path, *, quick: bool) -> Sequence[Measurement]:
    """All measurements; a quick one does a tenth of the work."""
    part = 10 if quick else 1
    return [
        herd(contestants(databases, directory), 10_000 // part),
        trigger(contestants(databases, directory), 500 // part),
        throughput(contestants(databases, directory), 8_000 // part),
        idle(directory, part),
        chat(directory, part),
        streams(directory, part),
        search(directory, part),
        cluster(databases, 10_000 // part),
        between(databases, 500 // part),
        size(databases, directory, 8_000 // part),
        start(20 // part),
    ]


def contestants(databases: Databases, directory: Path) -> list[Contestant]:
    """Nod and its nearest peers. A peer that needs a newer Python is left out on an older one."""

    file = files(directory)
    everyone = [
        Contestant("Nod, SQLite", "bench.nod", file),
        Contestant("PgQueuer, PostgreSQL", "bench.peers.pgqueuer", databases.fresh),
        Contestant("Oban for Python, PostgreSQL", "bench.peers.oban", databases.fresh),
        Contestant("APScheduler, SQLite", "bench.peers.apscheduler", file),
        Contestant("APScheduler, memory (not durable)", "bench.peers.apscheduler", str),
    ]
    return [one for one in everyone if one.module != "bench.peers.oban" or installed("oban")]


def absent() -> list[str]:
    """Who is left out, and why."""
    return [] if installed("oban") else ["Oban for Python is left out: it needs Python 3.12."]


def installed(module: str) -> bool:
    """Whether this Python has the module."""
    return importlib.util.find_spec(module) is not None


def herd(contestants: Sequence[Contestant], jobs: int) -> Measurement:
    """Everything due at once."""
    return Measurement(
        name="herd",
        title=f"herd: {jobs:,} jobs due in the same second; seconds late",
        columns=[
            Column("first", "first", 2),
            Column("p50", "p50", 2),
            Column("p99", "p99", 2),
            Column("max", "last", 2),
            Column("rate", "jobs/s"),
            Column("lost", "lost"),
            Column("doubled", "doubled"),
        ],
        contestants=contestants,
        jobs=jobs,
        callers=100,
        notes=[PEERS_NOTE, *absent(), "Nod's agents are 100, each on a connection of its own."],
    )


def trigger(contestants: Sequence[Contestant], calls: int) -> Measurement:
    """The way of one call through an idle system."""
    return Measurement(
        name="trigger",
        title=f"trigger: {calls} calls one after another, from call to start; milliseconds",
        columns=[Column("p50", "p50", 2), Column("p99", "p99", 2), Column("max", "max", 2)],
        contestants=contestants,
        jobs=calls,
        callers=1,
        notes=[PEERS_NOTE, *absent()],
    )


def throughput(contestants: Sequence[Contestant], calls: int) -> Measurement:
    """Many callers at once, each call durable by itself."""
    return Measurement(
        name="throughput",
        title=f"throughput: {calls:,} calls by 32 callers together, each call durable; per second",
        columns=[Column("accepted", "accepted"), Column("completed", "completed")],
        contestants=contestants,
        jobs=calls,
        callers=32,
        notes=[
            "Nod: calls over HTTP, each pushed to its agent and acknowledged by it meanwhile;",
            "completed when the agent's own HTTP call that ends the run has been answered.",
            "Peers: calls within the process; completed when the job has started.",
            *absent(),
        ],
    )


def idle(directory: Path, part: int) -> Measurement:
    """What stored tasks cost that are not due. Each amount is stored once, for all its runs."""
    few, many = 1_000 // part, 1_000_000 // part
    return Measurement(
        name="idle",
        title="idle: tasks stored and not due; what the server uses, and its answers' medians",
        columns=[
            Column("cpu", "CPU s in 20 s", 2),
            Column("memory", "MiB", 0),
            Column("list", "list 100, ms", 2),
            Column("create", "create, ms", 2),
            Column("fire", "trigger to socket, ms", 2),
        ],
        contestants=[stored(directory, tasks) for tasks in (few, many)],
        jobs=few,
        callers=1,
    )


def stored(directory: Path, tasks: int) -> Contestant:
    """Nod over so many tasks."""
    data_dir = directory / f"idle-{tasks}"
    data_dir.mkdir()
    return Contestant(
        f"Nod, {tasks:,} tasks", "bench.nod", (data_dir / "nod.db").as_posix, ("--jobs", str(tasks))
    )


def chat(directory: Path, part: int) -> Measurement:
    """The page of a conversation, short and long."""
    few, many = 10, 10_000 // part
    return Measurement(
        name="chat",
        title="chat: opening the page of a conversation, from request to answer; milliseconds",
        columns=[
            Column("first", "first time", 1),
            Column("p50", "p50", 1),
            Column("p99", "p99", 1),
            Column("plain", "kB of HTML", 1),
            Column("sent", "kB sent", 1),
        ],
        contestants=[fresh(directory, f"{count:,} messages", count) for count in (few, many)],
        jobs=few,
        callers=1,
    )


def streams(directory: Path, part: int) -> Measurement:
    """Pages that stay open and are told of a change."""
    open_pages = 500 // part
    return Measurement(
        name="streams",
        title="streams: pages open at once, and a message that all of them are told of",
        columns=[
            Column("memory", "MiB for all", 1),
            Column("each", "KiB each", 1),
            Column("first", "first told, ms", 0),
            Column("max", "all told, ms", 0),
        ],
        contestants=[fresh(directory, f"{open_pages:,} streams", open_pages)],
        jobs=open_pages,
        callers=1,
        notes=["A change is told 100 ms after it, together with those that come meanwhile."],
    )


def search(directory: Path, part: int) -> Measurement:
    """Looking for words among few messages and among many."""
    few, many = 1_000 // part, 100_000 // part
    return Measurement(
        name="search",
        title="search: the page of what was found, from request to answer; medians in milliseconds",
        columns=[
            Column("common", "a common word", 1),
            Column("rare", "a rare one", 1),
            Column("several", "three", 1),
            Column("letter", "one letter", 1),
            Column("nothing", "not there", 1),
            Column("opened", "the message opened", 1),
        ],
        contestants=[fresh(directory, f"{count:,} messages", count) for count in (few, many)],
        jobs=few,
        callers=1,
    )


def fresh(directory: Path, name: str, jobs: int) -> Contestant:
    """Nod with a new database for each run."""
    return Contestant(f"Nod, {name}", "bench.nod", files(directory), ("--jobs", str(jobs)))


def files(directory: Path) -> Callable[[], str]:
    """Names a database file each time, in a folder of its own."""
    return lambda: str(Path(tempfile.mkdtemp(dir=directory)) / "nod.db")


def cluster(databases: Databases, jobs: int) -> Measurement:
    """The herd again, of one node on a PostgreSQL and of several."""
    return Measurement(
        name="cluster",
        title=f"cluster: {jobs:,} jobs due in the same second, on one PostgreSQL; seconds late",
        columns=[
            Column("first", "first", 2),
            Column("p50", "p50", 2),
            Column("p99", "p99", 2),
            Column("max", "last", 2),
            Column("rate", "jobs/s"),
            Column("lost", "lost"),
            Column("doubled", "doubled"),
        ],
        contestants=[
            Contestant(
                f"Nod, {words}", "bench.nod", databases.fresh, ("--nodes", str(number), *bus)
            )
            for words, number, bus in (
                ("1 node", 1, ()),
                ("2 nodes", 2, ()),
                ("3 nodes", 3, ()),
                ("3 nodes and NATS", 3, ("--bus", "nats")),
            )
        ],
        jobs=jobs,
        callers=100,
        notes=[
            "100 agents, spread over the nodes. All share this machine: with few cores more",
            "nodes are not faster, and that none is lost is the point.",
        ],
    )


def between(databases: Databases, calls: int) -> Measurement:
    """The way of one call from the node that gets it to the one its agent is connected to."""
    return Measurement(
        name="between",
        title=f"between: {calls} calls one after another, from call to the agent; milliseconds",
        columns=[Column("p50", "p50", 2), Column("p99", "p99", 2), Column("max", "max", 2)],
        contestants=[
            Contestant(f"Nod, {words}", "bench.nod", databases.fresh, options)
            for words, options in (
                ("agent on the node called", ("--nodes", "1")),
                ("agent on another, NOTIFY", ("--nodes", "2")),
                ("agent on another, NATS", ("--nodes", "2", "--bus", "nats")),
            )
        ],
        jobs=calls,
        callers=1,
    )


def size(databases: Databases, directory: Path, runs: int) -> Measurement:
    """What a run takes where it is stored."""
    return Measurement(
        name="size",
        title=f"size: {runs:,} runs, each with all that belongs to it; kB a run",
        columns=[Column("stored", "stored", 1), Column("logged", "log written", 1)],
        contestants=[
            Contestant("Nod, SQLite", "bench.nod", files(directory)),
            Contestant("Nod, PostgreSQL", "bench.nod", databases.fresh),
        ],
        jobs=runs,
        callers=32,
        notes=[
            "Prompts of 268 characters, calls of 25 bytes, results of 246 characters, one attempt",
            "each. With indexes; a server's log is what a replica and a backup of it take.",
        ],
    )


def start(times: int) -> Measurement:
    """What somebody waits for who uses the package or the command line."""
    return Measurement(
        name="start",
        title=f"start: imports and a command in a Python just started, {times} times; milliseconds",
        columns=[
            Column("package", "import nod"),
            Column("client", "from nod import Client"),
            Column("agent", "from nod import Agent"),
            Column("help", "nod --help, whole"),
        ],
        contestants=[Contestant("Nod", "bench.nod", str)],
        jobs=times,
        callers=1,
    )
