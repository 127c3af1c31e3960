"""Over a long history the statements find their rows by an index, whatever plan the server takes.

This is over 60,000 runs, events, deliveries, messages and tasks. The same over a million takes some
minutes: see `support/plans.py`.
"""

from support.plans import FEWEST, history, looks
from support.postgres import connected, databases

_ASK = "EXECUTE search (100, 'harbour', '1', 9)"


async def test_no_statement_walks_a_table_or_the_history_of_others_but_the_hourly_ones() -> None:
    async with history(FEWEST) as connection:
        faults = [look.fault async for look in looks(connection) if look.fault]
    assert faults == []


async def test_the_search_is_planned_for_the_words_that_are_asked_for_also_when_asked_often() -> (
    None
):
    """From the sixth time on the server may keep one plan for all words, which would have to look
    at every message."""
    async with databases().lent() as url, connected(url) as connection:
        await connection.execute(
            "PREPARE search (bigint, text, text, bigint) AS SELECT seq FROM message_search"
            " WHERE words @@ search_query($3, $2) AND seq < $1 ORDER BY seq DESC LIMIT $4"
        )
        for _ in range(10):
            await connection.fetch(_ASK)
        kept = await connection.fetchrow(
            "SELECT generic_plans, custom_plans FROM pg_prepared_statements WHERE name = 'search'"
        )
    assert tuple(kept) == (0, 10)
