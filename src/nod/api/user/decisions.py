"""What agents ask, and the person's answers."""

import msgspec
from litestar import Controller, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody

from nod.actions import decisions
from nod.api.auth import require_user
from nod.api.paging import page, page_size
from nod.api.user.views import DecisionView, decision_view
from nod.app import Nod
from nod.domain.decisions import Answer, Verdict
from nod.domain.model import User
from nod.domain.states import DecisionStatus
from nod.store.chat import LAST_ID


class AnswerFields(msgspec.Struct):
    """The answer. A choice takes `option`, or other words in `note`; a question takes `note`.

    `always_allow` goes with approving a decision that `allows_always`; `always_allow_pattern` is
    one of those it offers.
    """

    status: Verdict
    note: str | None = None
    option: str | None = None
    always_allow: bool = False
    always_allow_pattern: str | None = None


class Decisions(Controller):
    """Decisions: looking at them and answering them."""

    path = "/api/decisions"
    tags = ("Decisions",)
    guards = (require_user,)

    @get()
    async def list_decisions(
        self,
        nod: NamedDependency[Nod],
        user: NamedDependency[User],
        status: FromQuery[DecisionStatus | None] = None,
        limit: FromQuery[int | None] = None,
        cursor: FromQuery[str | None] = None,
    ) -> Response[list[DecisionView]]:
        """The decisions of all agents, newest first; `?status=pending` are those that wait."""
        size = page_size(limit, nod.limits)
        found = await nod.store.read(
            lambda tx: decisions.list_decisions(tx, user, status, size + 1, cursor or LAST_ID)
        )
        return page(
            found,
            size,
            decision_view,
            lambda last: last.id,
            self.path,
            status=status,
            limit=limit,
        )

    @get("/{decision_id:str}")
    async def get_decision(
        self, nod: NamedDependency[Nod], user: NamedDependency[User], decision_id: FromPath[str]
    ) -> DecisionView:
        """One decision."""
        found = await nod.store.read(lambda tx: decisions.get_decision(tx, user, decision_id))
        return decision_view(found)

    @post("/{decision_id:str}/resolve", status_code=200)
    async def resolve(
        self,
        nod: NamedDependency[Nod],
        user: NamedDependency[User],
        decision_id: FromPath[str],
        data: JSONBody[AnswerFields],
    ) -> DecisionView:
        """Answer it. One answer wins; a second is 409."""
        answer = Answer(
            data.status, data.note, data.option, data.always_allow, data.always_allow_pattern
        )
        resolved = await nod.store.write(
            lambda tx: decisions.resolve(tx, nod.vault, user, decision_id, answer)
        )
        return decision_view(resolved)
