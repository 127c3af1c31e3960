"""A small schema of its own, for tests of the databases themselves."""

from nod.store.migrate import Migration
from nod.store.port import Connection, Work

SCHEMA = Migration(
    1,
    "notes",
    "CREATE TABLE notes (id TEXT PRIMARY KEY, size INTEGER NOT NULL CHECK (size >= 0),"
    " done BOOLEAN NOT NULL, above TEXT REFERENCES notes (id));",
)
SQL = """
-- name: add
INSERT INTO notes (id, size, done, above) VALUES (:id, :size, :done, NULL);
-- name: add_below
INSERT INTO notes (id, size, done, above) VALUES (:id, 0, FALSE, :above);
-- name: grow
UPDATE notes SET size = size + :by WHERE size >= :least;
-- name: finish
UPDATE notes SET done = TRUE WHERE id = :id RETURNING {notes};
-- name: get
SELECT {notes} FROM notes WHERE id = :id;
-- name: ids
SELECT id FROM notes ORDER BY id;
-- name: number
SELECT count(*) FROM notes;
-- name: set_size
UPDATE notes SET size = :size WHERE id = :id;
-- name: hold!
SELECT id FROM notes WHERE id = :id FOR NO KEY UPDATE;
-- name: hold
SELECT id FROM notes WHERE id = :id;
-- name: mistaken
SELECT FROM WHERE;
"""


def add(*ids: str) -> Work[str]:
    """A unit that adds a note for each id."""

    async def unit(connection: Connection) -> str:
        for note in ids:
            await connection.run("add", id=note, size=1, done=False)
        return ids[0]

    return unit


async def ids(connection: Connection) -> list[str]:
    return [note for (note,) in await connection.all("ids")]
