"""Notices on their way: each arrives once, what fails is tried again, none holds another up."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from nod.actions import act, agents, answers, chat, decisions
from nod.actions.chat import AlertFields, MessageFields
from nod.actions.decisions import DecisionFields
from nod.domain.decisions import Answer
from nod.domain.errors import Conflict, NotAuthenticated
from nod.domain.instant import HOUR
from nod.domain.limits import Limits
from nod.domain.model import Decision, Message
from nod.engine.batches import Batches
from nod.engine.notifier import Notifier, make_vapid_key
from nod.engine.notify import request_opened
from nod.engine.settle import put_output
from nod.notify.vapid import KEY_NAME
from nod.store.store import Tx
from support.clock import MONDAY_9
from support.databases import execute
from support.inprocess import until
from support.notified import (
    LOCAL,
    add_apprise,
    look,
    notices,
    notifying,
    run_once,
    settings,
    subscribe,
    targets,
    time_out,
)
from support.push_service import Browser
from support.receiver import HANG, Receiver, answer, receiving
from support.world import World, open_world

DAY_S = 86_400


async def ask(world: World, **given: Any) -> Decision:
    fields = DecisionFields(**{"title": "Deploy 1.4?", "description": "To production", **given})
    return await world.store.write(lambda tx: decisions.open_decision(tx, world.agent, fields))


async def say(world: World, text: str) -> Message:
    fields = MessageFields(text=text)
    return await world.store.write(lambda tx: chat.agent_message(tx, world.agent, fields))


async def told(notifier: Notifier, service: Receiver, browser: Browser) -> list[Any]:
    """What has arrived at the browser since it was last asked."""
    await look(notifier)
    calls, service.calls = service.calls, []
    return [browser.read(call) for call in calls]


# what is told


async def test_a_result_arrives_as_a_push_message_that_opens_its_run(world: World) -> None:
    async with receiving() as service, notifying(world) as notifier:
        browser = Browser(service.url)
        await subscribe(world, browser)
        run = await run_once(world, await world.task(), "# Report\n\nAll **good**")
        (payload,) = await told(notifier, service, browser)
    assert (payload["title"], payload["text"]) == ("Report", "Report All good")
    assert (payload["path"], payload["tag"]) == (f"/runs/{run.id}", f"run:{run.id}")
    (notice,) = await notices(world)
    assert (notice.state, notice.attempts, notice.error) == ("sent", 1, None)
    (target,) = await targets(world)
    assert target.used_at == world.clock.now()


async def test_for_somebody_without_a_target_nothing_is_stored(world: World) -> None:
    await run_once(world, await world.task())
    await ask(world)
    await say(world, "Hi")
    assert await notices(world) == []


async def test_repeated_failures_of_one_class_are_one_notice_and_the_recovery_another(
    world: World,
) -> None:
    async with receiving() as service, notifying(world) as notifier:
        browser = Browser(service.url)
        await subscribe(world, browser)
        task = await world.task(max_attempts=1)
        for _ in range(3):
            await time_out(world, task)
            task = await world.get(task)
        await run_once(world, task, "disk full", "failed")
        await run_once(world, task)
        titles = [each["title"] for each in await told(notifier, service, browser)]
        assert titles == ["Report failed", "Report failed", "Report works again"]
        # After the recovery, the same failure is news again.
        await time_out(world, await world.get(task))
        (again,) = await told(notifier, service, browser)
    assert again["text"].startswith("timeout")


async def test_a_failure_that_is_tried_again_is_told_when_the_last_attempt_fails(
    world: World,
) -> None:
    await add_apprise(world, "json://127.0.0.1")
    task = await world.task(max_attempts=2, idempotent=True)
    await time_out(world, task)
    assert await notices(world) == []


async def test_where_changes_are_wanted_the_same_result_is_told_once(world: World) -> None:
    await add_apprise(world, "json://127.0.0.1")
    task = await world.task()
    await world.store.write(lambda tx: tx.tasks.update(replace(task, notify="changes")))
    task = await world.get(task)
    for summary in ("20 °C", "20 °C", "21 °C"):
        await run_once(world, task, summary)
    assert [each.text for each in await notices(world)] == ["20 °C", "21 °C"]


async def test_an_output_that_comes_after_the_end_may_be_the_change(world: World) -> None:
    await add_apprise(world, "json://127.0.0.1")
    task = await world.task()
    await world.store.write(lambda tx: tx.tasks.update(replace(task, notify="changes")))
    task = await world.get(task)
    await run_once(world, task, "ok")
    again = await run_once(world, task, "ok")
    await world.store.write(lambda tx: put_output(tx, world.agent, again.id, "Something new"))
    await world.store.write(lambda tx: put_output(tx, world.agent, again.id, "Something newer"))
    assert [each.text for each in await notices(world)] == ["ok", "Something new"]


async def test_a_changed_output_is_told_to_nobody_where_nobody_is_told(world: World) -> None:
    task = await world.task()
    await world.store.write(lambda tx: tx.tasks.update(replace(task, notify="changes")))
    run = await run_once(world, await world.get(task), "ok")
    await world.store.write(lambda tx: put_output(tx, world.agent, run.id, "Something new"))
    assert await notices(world) == []


async def test_an_output_after_the_end_is_no_second_result(world: World) -> None:
    await add_apprise(world, "json://127.0.0.1")
    run = await run_once(world, await world.task())
    await world.store.write(lambda tx: put_output(tx, world.agent, run.id, "All of it"))
    assert len(await notices(world)) == 1


async def test_a_task_that_is_paused_by_its_failures_is_told(world: World) -> None:
    await add_apprise(world, "json://127.0.0.1")
    task = await world.task(max_attempts=1, pause_after_failures=1)
    await time_out(world, task)
    titles = {each.title for each in await notices(world)}
    assert titles == {"Report is paused", "Report failed"}


async def test_an_alert_is_told(world: World) -> None:
    await add_apprise(world, "json://127.0.0.1")
    fields = AlertFields(title="Disk full", text="98 %")
    await world.store.write(lambda tx: chat.alert(tx, world.agent, fields))
    (notice,) = await notices(world)
    (line,) = await world.store.read(lambda tx: tx.chat.activity_of(world.agent.id, 1))
    assert (notice.title, notice.text) == ("Ada: Disk full", "98 %")
    assert notice.path == f"/activity#alert-{line.id}"


# messages


async def test_a_message_is_told_when_it_was_not_read_within_some_seconds(world: World) -> None:
    async with receiving() as service, notifying(world) as notifier:
        browser = Browser(service.url)
        await subscribe(world, browser)
        said = await say(world, "Hello")
        assert await told(notifier, service, browser) == []
        world.clock.advance(world.limits.notify_unread_s)
        (payload,) = await told(notifier, service, browser)
    assert payload["path"] == f"/chats/{said.conversation_id}#{said.id}"


async def test_a_message_that_was_read_in_the_app_is_not_told(world: World, tmp_path: Path) -> None:
    async with receiving() as service, notifying(world) as notifier:
        await subscribe(world, Browser(service.url))
        said = await say(world, "Hello")
        await execute(tmp_path, f"UPDATE conversations SET read_seq = {said.seq}")  # noqa: S608
        world.clock.advance(world.limits.notify_unread_s)
        await look(notifier)
    assert service.calls == []
    (notice,) = await notices(world)
    assert (notice.state, notice.error) == ("dropped", "the message was read meanwhile")


# requests


async def test_a_request_can_be_answered_from_its_notification_once(world: World) -> None:
    async with receiving() as service, notifying(world) as notifier:
        browser = Browser(service.url)
        await subscribe(world, browser)
        asked = await ask(world)
        (payload,) = await told(notifier, service, browser)
    assert payload["path"] == f"/requests/{asked.id}"
    approve, reject = payload["actions"]
    assert (approve["title"], reject["title"]) == ("Approve", "Reject")
    done = await _use(world, approve["url"])
    assert (done.status, done.resolved_by) == ("approved", "ann@example.org")
    for button in (approve, reject):
        with pytest.raises(Conflict):
            await _use(world, button["url"])


async def _use(world: World, url: str) -> Decision:
    token = url.removeprefix(act.PATH)
    return await world.store.write(lambda tx: act.use_token(tx, world.vault, token))


async def test_a_button_ends_with_its_request_and_after_a_day_at_most(world: World) -> None:
    short, long = await ask(world, expires_in_s=3600), await ask(world, expires_in_s=3 * DAY_S)
    (first, _), (second, _) = (
        act.buttons(world.vault, world.limits, each, world.clock.now()) for each in (short, long)
    )
    world.clock.advance(3600)
    with pytest.raises(NotAuthenticated, match="expired"):
        await _use(world, first["url"])
    world.clock.advance(world.limits.act_s - 3600)
    with pytest.raises(NotAuthenticated, match="expired"):
        await _use(world, second["url"])


async def test_a_button_of_somebody_else_or_of_what_is_gone_does_nothing(world: World) -> None:
    asked = await ask(world)
    with pytest.raises(NotAuthenticated, match="not valid"):
        await _use(world, "/act/x.y.z")
    gone = replace(asked, id="dec_gone")
    token = act.make_token(world.vault, world.limits, gone, "approved", world.clock.now())
    with pytest.raises(NotAuthenticated, match="gone"):
        await _use(world, token)


async def test_a_question_that_needs_words_has_no_buttons(world: World) -> None:
    asked = await ask(world, kind="question")
    assert act.buttons(world.vault, world.limits, asked, world.clock.now()) == []


async def test_a_request_that_was_answered_is_not_told_any_more(world: World) -> None:
    async with receiving() as service, notifying(world) as notifier:
        await subscribe(world, Browser(service.url))
        asked = await ask(world)
        yes = Answer("approved")
        await world.store.write(
            lambda tx: answers.resolve(tx, world.vault, world.owner, asked.id, yes)
        )
        await look(notifier)
    assert service.calls == []
    assert [each.state for each in await notices(world)] == ["dropped"]


async def test_a_request_is_told_again_before_it_expires_and_when_it_has(world: World) -> None:
    async with receiving() as service, notifying(world) as notifier:
        browser = Browser(service.url)
        await subscribe(world, browser)
        await ask(world, expires_in_s=3600)
        rescues = Batches(world.store, decisions.DUE_DECISIONS, world.clock, lambda _: None)
        titles = []
        for wait_s in (0, 1800, 1440, 360):
            world.clock.advance(wait_s)
            await rescues.work_off()
            arrived = await told(notifier, service, browser)
            titles += [each["title"].partition(":")[0] for each in arrived]
    assert titles == ["Deploy 1.4?", "Still waiting", "Still waiting", "Nobody answered"]


# sending


async def test_apprise_brings_the_same_with_a_link(world: World) -> None:
    async with receiving() as service, notifying(world) as notifier:
        await add_apprise(world, f"json://127.0.0.1:{service.port}/")
        run = await run_once(world, await world.task())
        await look(notifier)
    said = json.loads(service.calls[0].body)
    assert said["message"] == f"All good\nhttps://nod.example.org/runs/{run.id}"


async def test_what_fails_is_tried_again_and_its_target_says_why(world: World) -> None:
    async with receiving(answer(503), answer(503)) as service, notifying(world) as notifier:
        await subscribe(world, Browser(service.url))
        await run_once(world, await world.task())
        await look(notifier)
        (target,) = await targets(world)
        assert (target.error, target.failing_since) == ("HTTP status 503", world.clock.now())
        await look(notifier)
        assert len(service.calls) == 1
        for wait_s in (12, 72):
            world.clock.advance(wait_s)
            await look(notifier)
    (target,) = await targets(world)
    assert (len(service.calls), target.error, target.failing_since) == (3, None, None)
    assert [each.state for each in await notices(world)] == ["sent"]


async def test_a_push_service_that_asks_for_time_gets_it(world: World) -> None:
    later = answer(429, "Retry-After: 600")
    async with receiving(later) as service, notifying(world) as notifier:
        await subscribe(world, Browser(service.url))
        await run_once(world, await world.task())
        await look(notifier)
        world.clock.advance(599)
        await look(notifier)
        assert len(service.calls) == 1
        world.clock.advance(1)
        await look(notifier)
    assert len(service.calls) == 2


async def test_a_subscription_that_is_gone_is_removed(world: World) -> None:
    async with receiving(answer(410)) as service, notifying(world) as notifier:
        await subscribe(world, Browser(service.url))
        await run_once(world, await world.task())
        await look(notifier)
    assert await targets(world) == []
    assert [each.state for each in await notices(world)] == ["dead"]


async def test_a_notice_that_its_target_refuses_stands_in_no_others_way(world: World) -> None:
    async with receiving(answer(413)) as service, notifying(world) as notifier:
        await subscribe(world, Browser(service.url))
        task = await world.task()
        await run_once(world, task)
        await look(notifier)
        await run_once(world, task)
        world.clock.advance(12)
        await look(notifier)
    assert [each.state for each in await notices(world)] == ["dead", "sent"]


async def test_a_target_that_fails_for_days_is_given_up_and_the_others_say_so(
    world: World,
) -> None:
    async with (
        receiving(last=answer(500)) as broken,
        receiving() as well,
        notifying(world) as notifier,
    ):
        await subscribe(world, Browser(broken.url), "Old phone")
        browser = Browser(well.url)
        await subscribe(world, browser)
        task = await world.task()
        for _ in range(6):
            await run_once(world, task)
            await look(notifier)
            world.clock.advance(DAY_S)
        arrived = await told(notifier, well, browser)
    old, _ = await targets(world)
    assert not old.enabled
    assert "5 d" in (old.error or "")
    assert "Old phone gets no more notifications" in [each["title"] for each in arrived]
    lines = await world.store.read(lambda tx: tx.chat.activity_of(world.agent.id, 10))
    assert "target_disabled" in [each.kind for each in lines]


async def test_what_could_not_be_delivered_in_a_day_is_not_delivered_any_more(
    world: World,
) -> None:
    async with receiving(answer(500)) as service, notifying(world) as notifier:
        await subscribe(world, Browser(service.url))
        await run_once(world, await world.task())
        await look(notifier)
        world.clock.advance(world.limits.notify_window_s + 1)
        await look(notifier)
    assert len(service.calls) == 1
    (notice,) = await notices(world)
    assert (notice.state, notice.error) == ("dropped", "it could not be delivered in time")


async def test_a_notice_has_eight_tries(world: World) -> None:
    async with receiving(last=answer(500)) as service, notifying(world) as notifier:
        await subscribe(world, Browser(service.url))
        await run_once(world, await world.task())
        for _ in range(12):
            await look(notifier)
            world.clock.advance(2 * 3600)
    assert len(service.calls) == 8
    assert [each.state for each in await notices(world)] == ["dead"]


async def test_a_slow_push_service_holds_no_other_up(world: World) -> None:
    async with receiving(last=HANG) as slow, receiving() as quick, notifying(world) as notifier:
        await subscribe(world, Browser(slow.url))
        browser = Browser(quick.url)
        await subscribe(world, browser)
        task = await world.task()
        for _ in range(3):
            await run_once(world, task)
            await notifier.look()
            while len(quick.calls) < 1:
                await _moment(notifier)
            quick.calls.clear()
        assert len(slow.calls) == 1


async def _moment(notifier: Notifier) -> None:
    await asyncio.sleep(0.01)
    await notifier.look()


async def test_only_so_many_are_sent_at_the_same_time(tmp_path: Path) -> None:
    async with open_world(tmp_path, replace(Limits(), notify_parallel=2)) as world:
        async with receiving() as service, notifying(world) as notifier:
            service.release.clear()
            for number in range(3):
                await subscribe(world, Browser(f"{service.url}{number}"))
            await run_once(world, await world.task())
            await notifier.look()
            while len(service.calls) < 2:
                await _moment(notifier)
            assert len(service.calls) == 2
            service.release.set()
            await look(notifier)
        assert (len(service.calls), service.most_at_once) == (3, 2)


async def test_a_target_that_cannot_be_read_any_more_says_so(world: World) -> None:
    target = await add_apprise(world, "json://127.0.0.1")
    await world.store.write(lambda tx: tx.notify.update_target(replace(target, address="x")))
    async with notifying(world) as notifier:
        await run_once(world, await world.task())
        await look(notifier)
    (target,) = await targets(world)
    assert "NOD_SECRET_KEY" in (target.error or "")


async def test_what_cannot_be_sent_at_all_is_given_up(world: World) -> None:
    async with receiving() as service, notifying(world) as notifier:
        target = await subscribe(world, Browser(service.url))
        broken = replace(target, address=world.vault.seal("{}"))
        await world.store.write(lambda tx: tx.notify.update_target(broken))
        await run_once(world, await world.task())
        await look(notifier)
    assert [each.state for each in await notices(world)] == ["dead"]


async def test_a_target_removed_while_it_is_sent_to_is_no_error(world: World) -> None:
    async with receiving() as service, notifying(world) as notifier:
        service.release.clear()
        target = await subscribe(world, Browser(service.url))
        await run_once(world, await world.task())
        await notifier.look()
        while not service.calls:
            await _moment(notifier)
        await world.store.write(lambda tx: tx.notify.remove_target(target, tx.now))
        service.release.set()
        await look(notifier)
    assert [each.state for each in await notices(world)] == ["dead"]


async def test_the_servers_key_is_made_once_and_kept_sealed(world: World) -> None:
    async def make(tx: Tx) -> str | None:
        await make_vapid_key(tx, world.vault)
        return await tx.notify.server_key(KEY_NAME)

    async with notifying(world) as notifier:
        first = (await notifier.vapid()).public_key
    sealed = await world.store.write(make)
    assert sealed is not None
    assert "PRIVATE" not in sealed
    assert b"PRIVATE" in world.vault.open(sealed)
    async with notifying(world) as notifier:
        assert (await notifier.vapid()).public_key == first


# the night


async def test_the_night_is_one_card(world: World) -> None:
    await settings(world, quiet_from="22:00", quiet_until="07:00", morning_at="07:30")
    async with receiving() as service, notifying(world) as notifier:
        browser = Browser(service.url)
        await subscribe(world, browser)
        await look(notifier)
        task = await world.task(max_attempts=1)
        world.clock.advance(14 * 3600)
        for _ in range(2):
            await run_once(world, task)
        await time_out(world, task)
        await say(world, "Good night")
        assert await told(notifier, service, browser) == []
        world.clock.advance(8.5 * 3600)
        (card,) = await told(notifier, service, browser)
        assert card["title"] == "The night"
        path = card["path"]
        assert card["text"] == "3 runs, 2 done, 1 failed (Report: timeout). 1 message"
        world.clock.advance(60)
        assert await told(notifier, service, browser) == []
    states = {each.kind: each.state for each in await notices(world)}
    assert states == {
        "result": "summed",
        "failure": "summed",
        "message": "summed",
        "morning": "sent",
    }
    where = await world.store.read(lambda tx: tx.chat.default_conversation(world.agent.id))
    newest, *_ = await world.store.read(lambda tx: tx.chat.messages(where.id, 1))
    assert path == f"/chats/{where.id}#{newest.id}"
    assert (newest.kind, newest.text) == (
        "notice",
        "The night: 3 runs, 2 done, 1 failed (Report: timeout).",
    )


async def test_the_card_can_be_read_in_the_chat_without_any_target(world: World) -> None:
    await settings(world, morning_at="07:30")
    async with notifying(world) as notifier:
        await look(notifier)
        task = await world.task()
        world.clock.advance(20 * 3600)
        await run_once(world, task)
        world.clock.advance(2.5 * 3600)
        await look(notifier)
    (card,) = await notices(world)
    assert (card.kind, card.text, card.state) == ("morning", "1 run, done", "dropped")


async def test_a_night_in_which_nothing_happened_has_no_card(world: World) -> None:
    await settings(world, quiet_from="22:00", quiet_until="07:00")
    await add_apprise(world, "json://127.0.0.1")
    async with notifying(world) as notifier:
        await look(notifier)
        world.clock.advance(22 * 3600)
        next_look = await notifier.look()
    assert await notices(world) == []
    assert next_look == MONDAY_9 + 46 * HOUR


async def test_requests_pass_the_night_unless_they_are_to_be_quiet_too(world: World) -> None:
    await settings(world, quiet_from="22:00", quiet_until="07:00")
    async with receiving() as service, notifying(world) as notifier:
        browser = Browser(service.url)
        await subscribe(world, browser)
        world.clock.advance(14 * 3600)
        await ask(world)
        assert len(await told(notifier, service, browser)) == 1
        await settings(world, quiet_requests=True)
        await ask(world)
        assert await told(notifier, service, browser) == []
        world.clock.advance(8 * 3600)
        assert [each["kind"] for each in await told(notifier, service, browser)] == ["request"]


async def test_without_quiet_hours_any_more_what_waited_is_told_at_once(world: World) -> None:
    await settings(world, quiet_from="22:00", quiet_until="07:00")
    async with receiving() as service, notifying(world) as notifier:
        browser = Browser(service.url)
        await subscribe(world, browser)
        world.clock.advance(14 * 3600)
        await run_once(world, await world.task())
        assert await told(notifier, service, browser) == []
        await settings(world, quiet_from=None, quiet_until=None)
        (card,) = await told(notifier, service, browser)
    assert (card["kind"], card["text"]) == ("morning", "1 run, done")


async def test_the_card_of_two_agents_opens_the_activity(world: World) -> None:
    await settings(world, morning_at="09:30")
    other = await world.store.write(
        lambda tx: agents.create_agent(tx, world.vault, LOCAL, world.owner, "Bob")
    )
    for each in (world, replace(world, agent=other.agent)):
        await run_once(each, await each.task())
    async with notifying(world) as notifier:
        await look(notifier)
        world.clock.advance(1800)
        await look(notifier)
    (card,) = await notices(world)
    assert (card.text, card.path) == ("2 runs, all done", "/activity")


async def test_a_card_comes_once_also_when_the_settings_are_changed_right_after(
    world: World,
) -> None:
    await settings(world, morning_at="09:01")
    await run_once(world, await world.task())
    async with notifying(world) as notifier:
        await look(notifier)
        world.clock.advance(60)
        await look(notifier)
        await settings(world, quiet_requests=True)
        await look(notifier)
    assert [each.kind for each in await notices(world)] == ["morning"]


async def test_settings_without_a_morning_make_no_card(world: World) -> None:
    await settings(world, quiet_requests=True)
    await run_once(world, await world.task())
    async with notifying(world) as notifier:
        assert await notifier.look() is None
    assert await notices(world) == []


async def test_a_request_of_an_agent_that_is_gone_is_told_to_nobody(world: World) -> None:
    await add_apprise(world, "json://127.0.0.1")
    asked = replace(await ask(world), agent_id="agt_gone")
    await world.store.write(lambda tx: request_opened(tx, asked))
    assert len(await notices(world)) == 1


async def test_an_attempt_waits_until_it_can_be_stored(world: World) -> None:
    async with receiving() as service, notifying(world) as notifier:
        service.release.clear()
        await subscribe(world, Browser(service.url))
        await run_once(world, await world.task())
        await notifier.look()
        while not service.calls:
            await _moment(notifier)
        await world.store.close()
        with capture_logs() as logs:
            service.release.set()
            await until(lambda: logs)
    assert logs[0]["event"] == "an attempt waits to be stored"
