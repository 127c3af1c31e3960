"""What a handler's run keeps and becomes, without a server."""

import asyncio

import pytest

from nod.client.memory import Memory, asked_block, event_blocks
from nod.client.result import SUMMARY_CHARS, raised, returned
from nod.client.slot import Slot


def blocks(*texts: str) -> list[dict[str, object]]:
    return [{"id": number, "text": text} for number, text in enumerate(texts)]


def test_a_scratchpad_remembers_the_event_and_what_was_asked() -> None:
    event = {"run_id": "run_1", "task_name": "Größe", "payload": "é" * 200_000}
    kept = [*event_blocks(event), "a note", asked_block('"Deploy?"#1', "dec_1")]
    assert max(len(text.encode()) for text in kept) <= 64 * 1024
    memory = Memory.of(blocks(*kept))
    assert (memory.event, memory.asked) == (event, {'"Deploy?"#1': "dec_1"})
    assert memory.notes == ["a note"]


@pytest.mark.parametrize("text", ["", "{", "[]", "[" * 100_000, '{"key": 1}', '{"key": "k"}'])
def test_what_only_looks_like_a_memory_is_passed_over(text: str) -> None:
    asked = asked_block("k", "d").partition("{")[0]
    event = event_blocks({})[0].partition("{")[0]
    memory = Memory.of(blocks(asked + text, event + "[]"))
    assert (memory.asked, memory.event) == ({}, None)


def test_text_up_to_the_limit_is_the_summary_and_more_is_the_output() -> None:
    fits, long = "x" * SUMMARY_CHARS, "x" * (SUMMARY_CHARS + 1)
    assert (returned(fits, None).summary, returned(fits, None).output) == (fits, None)
    result = returned(long, None)
    assert result.output == long
    assert len(str(result.summary)) == SUMMARY_CHARS
    assert str(result.summary).endswith("\n…")
    lines = "first\n" + "y" * SUMMARY_CHARS
    assert returned(lines, None).summary == "first\n…"
    assert returned(long, "# Before").output == f"# Before\n\n{long}"


def test_what_is_no_text_fails_the_run_and_says_so() -> None:
    assert returned(None, "# Out").output == "# Out"
    failed = returned(7, None)
    assert (failed.status, "returned int" in str(failed.summary)) == ("failed", True)


def test_an_error_without_words_is_named() -> None:
    assert raised(KeyError(), None).summary == "KeyError"
    assert raised(ValueError("the disk is full"), None).summary == "the disk is full"
    assert len(str(raised(ValueError("x" * 5000), None).summary)) == SUMMARY_CHARS


async def test_a_place_is_free_while_all_its_questions_wait() -> None:
    slots = asyncio.Semaphore(1)
    slot, answers = Slot(slots), [asyncio.Event(), asyncio.Event()]

    async def ask(answer: asyncio.Event) -> None:
        async with slot.left():
            await answer.wait()

    async with slot.held():
        assert (slots.locked(), slot.waiting) == (True, False)
        asking = [asyncio.create_task(ask(answer)) for answer in answers]
        await asyncio.sleep(0)
        assert (slots.locked(), slot.waiting) == (False, True)
        answers[0].set()
        await asking[0]
        assert (slots.locked(), slot.waiting) == (True, False)
        answers[1].set()
        await asking[1]
    assert not slots.locked()
