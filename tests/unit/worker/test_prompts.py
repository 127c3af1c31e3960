"""What programs are told, and how their lines are taken apart."""

import json
from typing import Any

import pytest

from nod.client.types import ContextBlock
from nod.worker import lines as lines_module
from nod.worker.job import Job
from nod.worker.lines import Lines
from nod.worker.prompts import answer_prompt, chat_prompt, task_prompt
from nod.worker.recipes import RECIPES
from nod.worker.recipes.recipe import DOING_CHARS, Call, Heard
from nod.worker.session import note, session_of, without_notes

JOB = Job("run_1", "tsk_1", "Standup", "Do it", False, None, None)


def block(text: str) -> ContextBlock:
    return {"id": 1, "text": text, "created_at": "2025-09-01T09:00:00Z"}


def test_a_task_alone_is_its_prompt() -> None:
    assert task_prompt(JOB, []) == "Do it"


def test_the_mark_around_data_is_new_each_time() -> None:
    assert task_prompt(JOB, [block("known")]) != task_prompt(JOB, [block("known")])


def test_a_large_payload_stands_whole_in_its_file_only() -> None:
    job = Job("run_1", "tsk_1", "Push", "Look", True, {"text": "x" * 100_000}, None)
    prompt = task_prompt(job, [])
    assert len(prompt) < 40_000
    assert "bytes left out here" in prompt
    assert "NOD_PAYLOAD_FILE" in prompt


def test_a_message_brings_what_it_answers_and_its_pictures() -> None:
    event: dict[str, Any] = {"text": "This one", "sender_name": "Ann", "reply_to_text": "Which?"}
    event |= {"image_urls": ["https://nod/1.png"], "audio_url": None}
    assert chat_prompt(event, first=False) == (
        "(In answer to: Which?)\n\nThis one\n\n(Attached: https://nod/1.png)"
    )
    assert chat_prompt(event, first=True).startswith("Ann writes to you in a chat")


@pytest.mark.parametrize(
    ("status", "said"),
    [("approved", "approved"), ("rejected", "rejected"), ("expired", "no denial and no consent")],
)
def test_an_answer_says_what_it_is(status: str, said: str) -> None:
    assert said in answer_prompt({"status": status, "note": None}, "Deploy?")


def test_the_newest_session_of_a_program_is_found_again() -> None:
    notes = [note("codex", session, "/work") for session in ("one", "two")]
    blocks = [block(each) for each in [*notes, "a note of the agent"] if each]
    assert session_of(blocks, "codex") == "two"
    assert session_of(blocks, "goose") is None
    assert [each["text"] for each in without_notes(blocks)] == ["a note of the agent"]


@pytest.mark.parametrize("session", ["--dangerous", "a b", "x\n", "", "a/../b"])
def test_a_session_that_is_no_plain_word_is_never_given_back(session: str) -> None:
    assert note("codex", session, "/work") is None
    blocks = [block(f"[nod work] codex session {session}\n")]
    assert session_of(blocks, "codex") in (None, session.strip())


def read(*chunks: bytes) -> tuple[list[dict[str, Any]], bytes]:
    heard: list[dict[str, Any]] = []
    stray: list[bytes] = []
    lines = Lines(heard.append, stray.append)
    for chunk in chunks:
        lines.add(chunk)
    lines.end()
    return heard, b"".join(stray)


def test_lines_are_put_together_from_any_pieces() -> None:
    whole = b'{"a": 1}\nWarning: old\n\n{"b": "\xc3\xbc"}'
    expected = [{"a": 1}, {"b": "ü"}]
    for size in (1, 3, 100):
        pieces = [whole[at : at + size] for at in range(0, len(whole), size)]
        assert read(*pieces) == (expected, b"Warning: old\n")


def test_a_line_without_end_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines_module, "_LONGEST_BYTES", 10)
    assert read(b'{"a": "' + b"x" * 50, b"x" * 50 + b'"}\n{"b": 1}\n') == ([{"b": 1}], b"")


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=lambda each: each.name)
@pytest.mark.parametrize(
    "line",
    [
        "{}",
        '{"type": 1}',
        '{"type": "result", "usage": [], "result": {}, "is_error": "x", "errors": 3}',
        '{"type": "assistant", "message": {"content": [1, null, {"type": "text"}]}}',
        '{"type": "message", "role": "assistant", "message": {"role": "assistant", "content": 7}}',
        '{"type": "item.completed", "item": {"type": "file_change", "changes": [3]}}',
        '{"type": "step_finish", "part": {"tokens": "many", "cost": "high"}}',
        '{"type": "complete", "total_tokens": null}',
        '{"type": "error", "error": null}',
    ],
)
def test_no_line_however_odd_breaks_a_recipe(recipe: Any, line: str) -> None:
    recipe.hear(Heard(), json.loads(line))


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=lambda each: each.name)
def test_what_the_operator_adds_is_on_the_command_line(recipe: Any) -> None:
    for session in (None, "one"):
        argv = recipe.argv(Call("run_1", session, ("--model", "small")))
        at = argv.index("--model")
        assert argv[at + 1] == "small"
        assert argv[0] == recipe.program


def test_what_is_done_is_one_short_line() -> None:
    heard = Heard()
    heard.act("Bash", "ls\n" + "x" * 500)
    assert len(heard.doing) == DOING_CHARS
    assert "\n" not in heard.doing


def test_only_what_is_said_last_is_the_answer() -> None:
    heard = Heard()
    heard.say("Let me ")
    heard.say("look.")
    assert heard.text == "Let me look."
    heard.act("Bash")
    assert heard.text == "Let me look."
    heard.say("It is full.")
    assert heard.text == "It is full."
