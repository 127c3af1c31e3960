"""Buttons on a notification: a request answered without opening the app.

The token in a button's address is all that is needed, so it is good for one verdict on one
request, until the request expires and for a day at most. It works once: a request can be answered
once. It is used by POST alone, so nothing that only looks at links answers anything.
"""

import jwt

from nod.actions.answers import resolve
from nod.domain.decisions import Answer, Verdict
from nod.domain.errors import NotAuthenticated
from nod.domain.instant import SECOND, Instant
from nod.domain.limits import Limits
from nod.domain.model import Decision
from nod.secrets import Vault
from nod.store.store import Tx

PATH = "/act/"
_PURPOSE = "buttons that act"
_ALGORITHM = "HS256"
_LABELS: dict[str, tuple[tuple[Verdict, str], ...]] = {
    "approval": (("approved", "Approve"), ("rejected", "Reject")),
    "permission": (("approved", "Allow once"), ("rejected", "Deny")),
    "budget": (("approved", "Go on today"), ("rejected", "Stop for today")),
    "quarantine": (("approved", "Run it once"), ("rejected", "Drop it")),
}


def buttons(vault: Vault, limits: Limits, decision: Decision, now: Instant) -> list[dict[str, str]]:
    """What a push message offers for a request: `action`, `title` and the `url` to POST to."""
    return [
        {
            "action": verdict,
            "title": title,
            "url": PATH + make_token(vault, limits, decision, verdict, now),
        }
        for verdict, title in _LABELS.get(decision.kind, ())
    ]


def make_token(
    vault: Vault, limits: Limits, decision: Decision, verdict: Verdict, now: Instant
) -> str:
    """A token that gives this answer to this request."""
    ends = min(decision.expires_at, now + limits.act_s * SECOND)
    claims = {"sub": decision.id, "act": verdict, "exp": ends // SECOND}
    return jwt.encode(claims, vault.derive(_PURPOSE), algorithm=_ALGORITHM)


async def use_token(tx: Tx, vault: Vault, token: str) -> Decision:
    """Give the answer. It holds at once, without time to undo.

    Raises NotAuthenticated for a token that is not ours or has expired, Conflict when the request
    has been answered already.
    """
    try:
        claims = jwt.decode(
            token,
            vault.derive(_PURPOSE),
            algorithms=[_ALGORITHM],
            options={"require": ["exp", "sub", "act"], "verify_exp": False},
        )
    except jwt.InvalidTokenError:
        raise NotAuthenticated("this button is not valid; open the request in the app") from None
    if int(claims["exp"]) * SECOND <= tx.now:
        raise NotAuthenticated("this button has expired; open the request in the app")
    decision = await tx.chat.decision(str(claims["sub"]))
    agent = None if decision is None else await tx.people.agent(decision.agent_id)
    owner = None if agent is None else await tx.people.user(agent.owner_id)
    if decision is None or owner is None:
        raise NotAuthenticated("the request of this button is gone")
    return await resolve(tx, vault, owner, decision.id, Answer(claims["act"]))
