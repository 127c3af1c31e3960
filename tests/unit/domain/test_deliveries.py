"""What becomes of an event: what happens next, what its end was, and what it is about."""

from dataclasses import replace

import pytest

from nod.domain.deliveries import About, Next, about, ending, next_of
from nod.domain.model import Event

NOW = 1_000_000

EVENT = Event(
    seq=1,
    id="evt_1",
    agent_id="agt_1",
    run_id="run_1",
    type="task_due",
    body='{"type":"task_due","task_id":"tsk_1","task_name":"Digest","task_prompt":"Sum up."}',
    state="pending",
    created_at=NOW - 10,
    not_before=NOW - 10,
    attempt_at=None,
    expires_at=None,
    attempts=0,
    retry_reason="first_attempt",
    channel=None,
    settled_at=None,
    error=None,
)


@pytest.mark.parametrize(
    ("event", "connected", "expected"),
    [
        (replace(EVENT, state="acknowledged", settled_at=7), True, Next("delivered", 7)),
        (replace(EVENT, state="polled", settled_at=7), True, Next("fetched", 7)),
        (replace(EVENT, state="dead", settled_at=7), True, Next("given_up", 7)),
        (replace(EVENT, state="held"), True, Next("held", None)),
        (replace(EVENT, state="held", not_before=NOW + 1), True, Next("later", NOW + 1)),
        (replace(EVENT, not_before=NOW + 1), True, Next("later", NOW + 1)),
        (EVENT, True, Next("sending", None)),
        (EVENT, False, Next("waiting", None)),
        (replace(EVENT, attempt_at=NOW), False, Next("sending", None)),
        (replace(EVENT, attempt_at=NOW + 1), True, Next("sending", None)),
        (replace(EVENT, attempt_at=NOW + 1), False, Next("retry", NOW + 1)),
    ],
)
def test_what_happens_next_follows_from_the_state_and_the_channels(
    event: Event, connected: bool, expected: Next
) -> None:
    assert next_of(event, NOW, connected=connected) == expected


def test_a_tasks_event_is_about_the_task() -> None:
    assert about(EVENT) == About("Digest", task_id="tsk_1")


def test_a_message_is_told_by_its_beginning_on_one_line() -> None:
    body = '{"text":"# How\\n**is** it","conversation_id":"conv_1","message_id":"msg_1"}'
    found = about(replace(EVENT, type="user_message", body=body))
    assert found == About("How is it", conversation_id="conv_1", message_id="msg_1")
    long = about(replace(EVENT, body='{"text":"' + "x" * 500 + '"}'))
    assert long.title == "x" * 119 + "…"


def test_an_answer_names_its_request() -> None:
    body = '{"decision_id":"dec_1","status":"approved","note":null,"conversation_id":"conv_1"}'
    found = about(replace(EVENT, type="decision_resolved", body=body))
    assert found == About("", conversation_id="conv_1", decision_id="dec_1")


def test_an_end_without_an_attempt_is_shown_as_one_of_polling() -> None:
    fetched = ending(replace(EVENT, state="polled", channel="poll", settled_at=NOW))
    assert (fetched.id, fetched.event_id, fetched.channel) == ("evt_1", "evt_1", "poll")
    assert (fetched.outcome, fetched.created_at, fetched.error) == ("ok", NOW, None)
    dead = ending(replace(EVENT, state="dead", settled_at=NOW, error="too late"))
    assert (dead.outcome, dead.channel, dead.error) == ("dead", "poll", "too late")


def test_what_is_on_its_way_has_no_end() -> None:
    with pytest.raises(ValueError, match="evt_1 is on its way"):
        ending(EVENT)
