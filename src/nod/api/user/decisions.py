"""What agents ask, and the person's answers."""

import msgspec
from litestar import Controller, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody

from nod.actions import answers, decisions
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
    one of those it offers. The answer is held for `undo_s` seconds, in which it can be undone.
    """

    status: Verdict
    note: str | None = None
    option: str | None = None
    always_allow: bool = False
    always_allow_pattern: str | None = None
    undo_s: int = 0


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
        """Answer it, at once or in `undo_s` seconds. One answer wins; a second is 409."""
        answer = Answer(
            data.status, data.note, data.option, data.always_allow, data.always_allow_pattern
        )
        resolved = await nod.store.write(
            lambda tx: answers.resolve(tx, nod.vault, user, decision_id, answer, data.undo_s)
        )
        return decision_view(resolved)

    @post("/{decision_id:str}/undo", status_code=200)
    async def undo(
        self, nod: NamedDependency[Nod], user: NamedDependency[User], decision_id: FromPath[str]
    ) -> DecisionView:
        """Take the answer back while it is held; 409 once it has been carried out."""
        undone = await nod.store.write(lambda tx: answers.undo(tx, user, decision_id))
        return decision_view(undone)
