"""What a person was told: each notice with its sign, and what became of it."""

from typing import NamedTuple

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import FromQuery

from nod.actions import notifications
from nod.domain.model import Notice, NoticeKind
from nod.store.chat import LAST_ID
from nod.web.times import Times
from nod.web.view import Viewer

_PAGE = 50
_SIGNS: dict[NoticeKind, tuple[str, str]] = {
    "result": ("ok", "check"),
    "failure": ("bad", "cross"),
    "recovery": ("ok", "again"),
    "request": ("wait", "hourglass"),
    "message": ("run", "chats"),
    "health": ("warn", "warn"),
    "morning": ("", "sun"),
}


class Told(NamedTuple):
    """One notice as a row. `fate` says what became of it, `is_lost` that it reached nobody."""

    notice: Notice
    look: str
    sign: str
    fate: str
    is_lost: bool


def told(notice: Notice, times: Times) -> Told:
    """The row of a notice."""
    return Told(notice, *_SIGNS[notice.kind], _fate(notice, times), notice.state == "dead")


def _fate(notice: Notice, times: Times) -> str:
    match notice.state:
        case "pending" if notice.attempts:
            return f"is tried again: {notice.error}" if notice.error else "on its way"
        case "pending" if notice.not_before > times.now:
            return f"goes out {times.when(notice.not_before)}"
        case "pending":
            return "on its way"
        case "held":
            return f"waits for the morning card, {times.at(notice.not_before)}"
        case "sent":
            return "sent"
        case "summed":
            return "told by the morning card"
        case "dropped":
            return f"not sent: {notice.error}"
        case "dead":
            return f"did not arrive: {notice.error}"


@get("/settings/notifications/told")
async def history(
    viewer: NamedDependency[Viewer], before: FromQuery[str] = LAST_ID
) -> Response[bytes]:
    """What the person was told, newest first; older ones from the notice `before` on."""
    found = await viewer.nod.store.read(
        lambda tx: notifications.list_notices(tx, viewer.user, _PAGE + 1, before)
    )
    return await viewer.page(
        "settings/told_page.html",
        told=[told(each, viewer.times) for each in found[:_PAGE]],
        before=before if before != LAST_ID else "",
        older=found[_PAGE - 1].id if len(found) > _PAGE else "",
    )


routes = [history]
