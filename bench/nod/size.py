"""What a run takes on the disk, with its event, attempt, result, message and all indexes."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

import asyncpg
import msgspec

from bench.child import Work
from bench.nod.seed import seeding
from bench.nod.server import serving
from bench.nod.throughput import measured
from bench.nod.trigger import EVENT_TASK
from bench.sample import Sample

PROMPT = "A new order has come: check it against the customer's former ones. " * 4
SUMMARY = "Three orders are unusual: one of 40 chairs, one to a new country, one paid twice. " * 3
_SIZE = """
SELECT sum(pg_total_relation_size(oid)) FROM pg_class
WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
"""
_LOG = "SELECT pg_current_wal_lsn() - '0/0'"
Sizes = Mapping[str, int]
"""Bytes by what they are."""


async def size(work: Work) -> Sample:
    """`work.jobs` runs all the way through; by how much the database has grown, for each."""
    if not work.target.startswith("postgresql"):
        return await grown(work, Path(work.target).parent, {})
    with tempfile.TemporaryDirectory(prefix="nod-bench-") as folder:
        return await grown(work, Path(folder), {"NOD_DATABASE_URL": work.target})


async def grown(work: Work, folder: Path, environ: Mapping[str, str]) -> Sample:
    """The same for a server with this data directory and environment."""
    task = msgspec.structs.replace(EVENT_TASK, prompt=PROMPT)
    async with seeding(folder, environ) as seeder:
        agents = await seeder.agents(work.callers, task, 1)
    before = await sizes(work.target)
    async with serving(folder, environ) as server:
        await measured(server, agents, work, SUMMARY)
    after = await sizes(work.target)
    return {what: (after[what] - before[what]) / work.jobs / 1000 for what in after}


async def sizes(target: str) -> Sizes:
    """How large the database is, and on a server how much it has written to its log so far."""
    if not target.startswith("postgresql"):
        return {"stored": sum(each.stat().st_size for each in Path(target).parent.glob("nod.db*"))}
    database = await asyncpg.connect(target)
    try:
        logged = int(await database.fetchval(_LOG))
        await database.execute("VACUUM ANALYZE")
        return {"stored": int(await database.fetchval(_SIZE)), "logged": logged}
    finally:
        await database.close()
