"""Looking for words in what was said and brought. How words are found is the database's affair:
an index that its triggers keep (migrations), and a statement in its own file of SQL."""

from collections.abc import Sequence

from nod.domain.model import Message
from nod.store.port import Connection

_PREFIX = len("agt_")


class Search:
    """The verbs of the search."""

    __slots__ = ("_db",)

    def __init__(self, db: Connection) -> None:
        self._db = db

    async def messages(
        self, words: Sequence[str], agent_ids: Sequence[str], limit: int, before: int
    ) -> list[Message]:
        """Messages of these agents that have all the words, newest first, with a seq below
        `before`. The last word may go on; upper case and accents make no difference. A run's bubble
        has the words of its output too. Words are letters and digits, as they were typed
        (`domain/search.py`)."""
        found = await self._db.all(
            "search_messages",
            words=" ".join(words),
            agents=" ".join(each[_PREFIX:] for each in agent_ids),
            before=before,
            limit=limit,
        )
        return [Message(*each) for each in found]
