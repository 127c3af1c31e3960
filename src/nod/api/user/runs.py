"""Runs and deliveries, as the person sees them."""

import msgspec
from litestar import Controller, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery

from nod.actions.agents import get_agent
from nod.actions.owned import attempts_of_run, owned_delivery, owned_run
from nod.api.auth import require_user
from nod.api.paging import page, page_size
from nod.api.user.views import OutputView, PayloadView, ReplayView
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
from nod.domain.model import ContextBlock, Delivery, Event, Payload, Run, User
from nod.engine.attempts import replay
from nod.engine.ending import cancel
from nod.engine.settle import summary_of
from nod.store.chat import LAST_ID
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


class Deliveries(Controller):
    """Attempts to bring events to agents."""

    path = "/api/deliveries"
    tags = ("Deliveries",)
    guards = (require_user,)

    @get()
    async def list_deliveries(
        self,
        nod: NamedDependency[Nod],
        user: NamedDependency[User],
        agent_id: FromQuery[str | None] = None,
        event_id: FromQuery[str | None] = None,
        limit: FromQuery[int | None] = None,
        cursor: FromQuery[str | None] = None,
    ) -> Response[list[DeliveryView]]:
        """The attempts, newest first, of all agents or one, of all events or one."""
        size, before = page_size(limit, nod.limits), cursor or LAST_ID

        async def look(tx: Tx) -> list[Delivery]:
            if agent_id is not None:
                await get_agent(tx, user, agent_id)
            return await tx.events.deliveries_of_owner(
                user.id, agent_id, event_id, before, size + 1
            )

        return page(
            await nod.store.read(look),
            size,
            delivery_view,
            lambda last: last.id,
            self.path,
            agent_id=agent_id,
            event_id=event_id,
            limit=limit,
        )

    @get("/{delivery_id:str}")
    async def get_delivery(
        self, nod: NamedDependency[Nod], user: NamedDependency[User], delivery_id: FromPath[str]
    ) -> DeliveryView:
        """One attempt."""
        found, _ = await nod.store.read(lambda tx: owned_delivery(tx, user, delivery_id))
        return delivery_view(found)

    @post("/{delivery_id:str}/replay", status_code=200)
    async def replay_event(
        self, nod: NamedDependency[Nod], user: NamedDependency[User], delivery_id: FromPath[str]
    ) -> ReplayView:
        """Send the attempt's event again, under the same event id."""

        async def again(tx: Tx) -> Event:
            _, event = await owned_delivery(tx, user, delivery_id)
            return await replay(tx, event)

        return ReplayView("ok", (await nod.store.write(again)).id)
