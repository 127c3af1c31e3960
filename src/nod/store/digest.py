"""What rows are, in one number: the same for the same rows in whatever order, of any database."""

from hashlib import sha256

import msgspec

from nod.store.port import Row

_BITS = 256


class Digest:
    """A count and a hash of rows, which are given one by one and not kept.

    The hash is the sum of the rows' own (SHA-256, modulo 2^256), so that no database has to sort,
    and a row that is there twice counts twice. A row is hashed as MessagePack writes it: each value
    with its type and length, so that no two rows are written alike.
    """

    __slots__ = ("_sum", "largest", "rows")

    def __init__(self) -> None:
        self.rows = 0
        self.largest = 0
        """Bytes of the largest row."""
        self._sum = 0

    def add(self, row: Row) -> None:
        """Count a row. Its values are None, bool, int (64 bits), float, str or bytes."""
        written = msgspec.msgpack.encode(row)
        self.rows += 1
        self.largest = max(self.largest, len(written))
        number = int.from_bytes(sha256(written).digest(), "big")
        self._sum = (self._sum + number) % (1 << _BITS)

    @property
    def hash(self) -> str:
        """Hexadecimal."""
        return f"{self._sum:0{_BITS // 4}x}"
