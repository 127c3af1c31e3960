"""What the search costs: words that are common, rare and not there, and opening what was found."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from pathlib import Path

from bench.child import Work
from bench.nod.app import Reader, seeded, timed
from bench.nod.caller import Caller
from bench.nod.server import serving
from bench.sample import Sample, percentile

VOCABULARY = 20_000
WORDS_EACH = 30
LOOKS = 40
SYLLABLES = ("ba", "de", "ki", "lo", "mu", "na", "pe", "ri", "so", "tu", "va", "ze")


def word(number: int) -> str:
    """The word of that number; the first ones are the common ones."""
    made = ""
    while number or not made:
        number, syllable = divmod(number, len(SYLLABLES))
        made += SYLLABLES[syllable]
    return made


def text(number: int) -> str:
    """What the message of that number says: some words again and again, most of them seldom."""
    chance = random.Random(number)
    return " ".join(word(int(VOCABULARY * chance.random() ** 4)) for _ in range(WORDS_EACH))


async def search(work: Work) -> Sample:
    """Look for words among `work.jobs` messages, and open the conversation at an old one."""
    data_dir = Path(work.target).parent
    reader = await seeded(data_dir, work.jobs, text)
    async with serving(data_dir) as server:
        caller = await Caller.connect(server.host, server.port)
        await timed(caller, "/search?q=warm", reader)
        found = {
            "common": await median(caller, reader, [word(1)]),
            "rare": await median(caller, reader, [word(VOCABULARY - 1 - n) for n in range(LOOKS)]),
            "several": await median(caller, reader, [f"{word(0)}+{word(3)}+ba"]),
            "letter": await median(caller, reader, ["k"]),
            "nothing": await median(caller, reader, ["zebra"]),
            "opened": await median(caller, reader, [], await oldest(caller, reader)),
        }
        caller.close()
    return found


async def median(
    caller: Caller, reader: Reader, queries: Sequence[str], address: str = ""
) -> float:
    """How long the page of one of these queries usually takes, or that address; milliseconds."""
    pages = [f"/search?q={each}" for each in queries] or [address]
    looks = [pages[number % len(pages)] for number in range(LOOKS)]
    return percentile(sorted([await timed(caller, each, reader) for each in looks]), 0.5) * 1000


async def oldest(caller: Caller, reader: Reader) -> str:
    """Where the last message stands on the first page of what has a word that is not rare."""
    plain = {"Cookie": reader.headers["Cookie"]}
    page = (await caller.call("GET", f"/search?q={word(500)}", None, plain)).body
    found: list[bytes] = re.findall(rb'href="(/chats/[^"#]*)', page)
    return found[-1].decode()
