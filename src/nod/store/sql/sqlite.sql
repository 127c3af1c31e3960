-- What SQLite alone has.

-- name: data_version
-- Another number after each commit of another connection.
PRAGMA data_version
