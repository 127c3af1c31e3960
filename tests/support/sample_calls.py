"""Calls of a trigger that wait for a look, and a sender that is trusted."""

import msgspec

from nod.domain.callers import Caller
from nod.domain.instant import HOUR
from nod.domain.limits import Limits
from nod.domain.model import Task, TrustedSender, new_id
from nod.domain.payload_shape import shape_of
from nod.engine.trigger import Call, accept_call
from nod.store.store import Tx

_TRUSTED = "github, proven by github"
_BEFORE = {"ref": "refs/heads/main", "pusher": {"name": "ben"}, "commits": [{"id": "4fd1"}]}
_NOW = {
    **_BEFORE,
    "commits": [{"id": "9ac2", "message": "Retry with jitter"}],
    "head_commit": {"url": "https://github.com/ada/harbour/commit/9ac2", "distinct": True},
}


async def call_in_quarantine(tx: Tx, task: Task) -> str:
    """A known sender brings something new, twice, and a stranger calls; the request for it."""
    known = msgspec.json.encode(shape_of(_BEFORE, (), "", Limits())).decode()
    trusted = TrustedSender(
        new_id("tru", tx.now),
        task.id,
        _TRUSTED,
        known,
        "ann@example.org",
        tx.now,
        41,
        tx.now - HOUR,
    )
    await tx.calls.trust(trusted)
    for sender, payload in ((_TRUSTED, _NOW), (_TRUSTED, _NOW), ("curl at 203.0.113.0/24", {})):
        caller = Caller(sender, shape_of(payload, (), "", Limits()))
        body = msgspec.json.encode(payload).decode()
        inbound = msgspec.json.encode(
            {"source": sender.split()[0].strip(","), "headers": {}, "query": {}}
        )
        await accept_call(tx, task, Call(body, inbound.decode(), None, caller))
    look = await tx.calls.open_look(task.id)
    assert look is not None
    return look.id
