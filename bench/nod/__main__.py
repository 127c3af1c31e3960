"""`python -m bench.nod MEASURE …`: one run of one measurement of Nod."""

from __future__ import annotations

from bench.child import answer
from bench.nod.app import chat, streams
from bench.nod.cluster import between, cluster
from bench.nod.herd import herd
from bench.nod.idle import idle
from bench.nod.search import search
from bench.nod.size import size
from bench.nod.start import start
from bench.nod.throughput import throughput
from bench.nod.trigger import trigger

if __name__ == "__main__":
    answer(
        {
            "herd": herd,
            "trigger": trigger,
            "throughput": throughput,
            "idle": idle,
            "chat": chat,
            "streams": streams,
            "search": search,
            "cluster": cluster,
            "between": between,
            "size": size,
            "start": start,
        }
    )
