"""While a herd is fired, what can wait does, and never for long."""

import asyncio

import pytest

from nod.engine import rush
from nod.engine.rush import Rush


async def test_nobody_waits_while_no_herd_is_fired() -> None:
    calm = Rush()
    calm.end()
    async with asyncio.timeout(0.05):
        await calm.over()


async def test_who_waits_goes_on_soon_after_the_herd_is_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rush, "_AT_MOST_S", 60.0)
    herd = Rush()
    herd.begin()
    herd.end()
    herd.end()
    async with asyncio.timeout(10):
        await herd.over()


async def test_a_second_herd_right_behind_the_first_keeps_them_waiting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rush, "_AFTER_S", 0.0)
    monkeypatch.setattr(rush, "_AT_MOST_S", 60.0)
    herd = Rush()
    herd.begin()
    herd.end()
    herd.begin()
    waiting = asyncio.create_task(herd.over())
    done, _ = await asyncio.wait({waiting}, timeout=0.05)
    assert not done
    herd.end()
    async with asyncio.timeout(10):
        await waiting


async def test_a_herd_without_an_end_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rush, "_AT_MOST_S", 0.01)
    herd = Rush()
    herd.begin()
    async with asyncio.timeout(10):
        await herd.over()
