"""Runs, as the person sees them."""

import msgspec
from litestar import Controller, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from nod.actions.owned import attempts_of_run, owned_run
from nod.api.auth import require_user
from nod.api.user.views import OutputView, PayloadView
from nod.api.views import (
    ContextView,
    DeliveryView,
    RunView,
    context_view,
    delivery_view,
    run_view,
)
from nod.app import Nod
from nod.domain.errors import NotFound
from nod.domain.model import ContextBlock, Payload, Run, User
from nod.engine.ending import cancel
from nod.engine.settle import summary_of
from nod.store.store import Tx


class Runs(Controller):
    """One run and everything about it."""

    path = "/api/runs/{run_id:str}"
    tags = ("Runs",)
    guards = (require_user,)

    @get()
    async def get_run(
        self, nod: NamedDependency[Nod], user: NamedDependency[User], run_id: FromPath[str]
    ) -> RunView:
        """The run; `summary` is its full deliverable."""

        async def look(tx: Tx) -> RunView:
            run = await owned_run(tx, user, run_id)
            return run_view(run, await summary_of(tx, run))

        return await nod.store.read(look)

    @get("/output")
    async def get_output(
        self, nod: NamedDependency[Nod], user: NamedDependency[User], run_id: FromPath[str]
    ) -> OutputView:
        """The deliverable that the agent has set, whole; null if it has set none."""

        async def look(tx: Tx) -> str | None:
            return await tx.runs.output((await owned_run(tx, user, run_id)).id)

        return OutputView(run_id, await nod.store.read(look))

    @get("/payload")
    async def get_payload(
        self, nod: NamedDependency[Nod], user: NamedDependency[User], run_id: FromPath[str]
    ) -> PayloadView:
        """What the call that started the run brought."""

        async def look(tx: Tx) -> Payload | None:
            return await tx.runs.payload((await owned_run(tx, user, run_id)).id)

        found = await nod.store.read(look)
        if found is None:
            raise NotFound(f"run {run_id} was not started by a call, so it has no payload")
        decode = msgspec.json.decode
        return PayloadView(run_id, decode(found.payload), decode(found.inbound))

    @get("/context")
    async def get_context(
        self, nod: NamedDependency[Nod], user: NamedDependency[User], run_id: FromPath[str]
    ) -> ContextView:
        """The run's scratchpad, the oldest block first; empty after its end."""

        async def look(tx: Tx) -> list[ContextBlock]:
            return await tx.runs.context_blocks((await owned_run(tx, user, run_id)).id)

        return context_view(run_id, await nod.store.read(look))

    @get("/attempts")
    async def list_attempts(
        self, nod: NamedDependency[Nod], user: NamedDependency[User], run_id: FromPath[str]
    ) -> list[DeliveryView]:
        """All attempts to reach the agent about this run, the oldest first."""
        found = await nod.store.read(lambda tx: attempts_of_run(tx, user, run_id))
        return [delivery_view(each) for each in found]

    @post("/cancel", status_code=200)
    async def cancel_run(
        self, nod: NamedDependency[Nod], user: NamedDependency[User], run_id: FromPath[str]
    ) -> RunView:
        """End the run. One that has ended already is 409."""

        async def end(tx: Tx) -> Run:
            return await cancel(tx, await owned_run(tx, user, run_id), f"by {user.email}")

        return run_view(await nod.store.write(end), None)
