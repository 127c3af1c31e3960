"""The list of a person's agents counts what is unread, and no further than it shows."""

from pathlib import Path

import pytest

from nod.actions.chat import MessageFields, agent_message
from nod.actions.home import overviews
from nod.domain.limits import Limits
from support.world import open_world


@pytest.mark.parametrize(("written", "counted"), [(2, 2), (3, 3), (4, 3)])
async def test_unread_messages_are_counted_up_to_the_limit(
    tmp_path: Path, written: int, counted: int
) -> None:
    async with open_world(tmp_path, limits=Limits(unread_messages=3)) as world:
        said = MessageFields(text="Hello")
        for _ in range(written):
            await world.store.write(lambda tx: agent_message(tx, world.agent, said))
        (found,) = await world.store.read(lambda tx: overviews(tx, world.owner))
    assert found.unread == counted
