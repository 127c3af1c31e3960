"""Each limit has a test at its edge: this table says which, and a new limit has to be entered."""

from dataclasses import fields
from pathlib import Path

import pytest

from nod.domain.limits import Limits

TESTS = Path(__file__).parent.parent

EDGES = "api/test_agent_limits.py"
HOOKS = "api/test_hooks.py"
INBOUND = "unit/domain/test_inbound.py"
POLICY = "unit/domain/test_policy.py"
PUSHES = "delivery/test_socket_delivery.py"
FRAMES = "delivery/test_socket_frames.py"
WEBHOOKS = "delivery/test_webhook_delivery.py"
SENDER = "faults/test_webhook_faults.py"
SESSIONS = "unit/actions/test_sessions_actions.py"
ACCOUNTS = "unit/actions/test_accounts_actions.py"
RUNS = "api/test_agent_runs.py"
TASKS = "api/test_agent_tasks.py"
NOTIFICATIONS = "api/test_notifications.py"
PICTURES = "unit/test_pictures.py"
IN_CHAT = "web/test_pictures_in_chat.py"
AGENDA = "api/test_agenda_api.py"
NOTIFIER = "engine/test_notifier.py"
QUARANTINE = "engine/test_quarantine.py"
SHAPE = "unit/domain/test_payload_shape.py"

# The limit, the file, and what in the file is about it: the limit's own name, or a test's.
TESTED: dict[str, tuple[str, str]] = {
    # what one request or frame may carry
    "body_bytes": ("api/test_bad_input.py", "test_a_body_of_a_mebibyte_is_read_and_one_byte_more"),
    "event_body_bytes": (EDGES, "event_body_bytes"),
    "frame_bytes": (FRAMES, "test_a_frame_of_ten_megabytes_is_refused"),
    "image_bytes": ("api/test_agent_events.py", "test_a_picture_of_five_mebibytes_fits"),
    "upload_bytes": (PICTURES, "test_an_upload_of_upload_bytes_is_taken_and_one_byte_more"),
    "upload_pixels": (PICTURES, "test_a_picture_of_upload_pixels_is_taken_and_one_pixel_more"),
    "picture_side_px": (PICTURES, "test_a_picture_is_scaled_down_to_picture_side_px"),
    "message_pictures": (IN_CHAT, "test_a_message_takes_as_many_pictures_as_the_limit_and_not"),
    "upload_s": (IN_CHAT, "test_a_picture_that_was_not_sent_goes_after_a_day"),
    "json_depth": (INBOUND, "test_json_may_be_nested_as_deep_as_the_limit"),
    "form_fields": (INBOUND, "form_fields"),
    # texts
    "name_chars": (EDGES, "name_chars"),
    "title_chars": (EDGES, "title_chars"),
    "prompt_chars": (EDGES, "prompt_chars"),
    "description_chars": (EDGES, "description_chars"),
    "summary_chars": (RUNS, "test_a_summary_has_1000_characters_and_not_one_more"),
    "message_chars": (EDGES, "message_chars"),
    "status_text_chars": (EDGES, "status_text_chars"),
    "output_bytes": (RUNS, "test_an_output_holds_a_mebibyte_and_not_a_byte_more"),
    "context_block_bytes": (RUNS, "test_a_block_holds_64_kib_and_a_scratchpad_one_mebibyte"),
    "context_run_bytes": (RUNS, "test_a_block_holds_64_kib_and_a_scratchpad_one_mebibyte"),
    "webhook_url_chars": ("unit/delivery/test_address_guard.py", "webhook_url_chars"),
    "decision_options": (EDGES, "decision_options"),
    "always_patterns": (EDGES, "always_patterns"),
    # how many
    "tasks_per_agent": (TASKS, "tasks_per_agent="),
    "tasks_per_agent_hour": (TASKS, "tasks_per_agent_hour="),
    "preview_fires": ("unit/domain/test_schedule_preview.py", "preview_fires=100"),
    "preview_tasks": ("api/test_preview_api.py", "NOD_LIMIT_PREVIEW_TASKS"),
    "refused_calls": ("api/test_trigger_calls.py", "limits.refused_calls"),
    "refused_call_s": ("api/test_trigger_calls.py", "NOD_LIMIT_REFUSED_CALL_S"),
    "held_calls": (QUARANTINE, "held_calls=2"),
    "trusted_senders": (QUARANTINE, "trusted_senders=1"),
    "shape_places": (SHAPE, "test_too_many_places_are_not_compared"),
    "shape_depth": (SHAPE, "test_what_is_too_deep_is_not_compared"),
    "call_shown_chars": ("unit/domain/test_callers.py", "call_shown_chars"),
    "triggers_per_minute": (HOOKS, "triggers_per_minute"),
    "queue_scheduled": (POLICY, "queue_scheduled"),
    "queue_event": (POLICY, "queue_event"),
    "catch_up_runs": (POLICY, "catch_up_runs"),
    "missed_entries": ("engine/test_fire.py", "missed_entries"),
    "open_decisions": (EDGES, "open_decisions"),
    "page_items": (EDGES, "page_items"),
    "connections_per_agent": (FRAMES, "connections_per_agent"),
    "database_connections": ("store/test_postgres.py", "NOD_LIMIT_DATABASE_CONNECTIONS"),
    "password_min_chars": (ACCOUNTS, "test_a_password_has_a_length"),
    "password_chars": (ACCOUNTS, "test_a_password_has_a_length"),
    "login_attempts": (ACCOUNTS, "login_attempts"),
    "login_attempts_address": (ACCOUNTS, "login_attempts_address"),
    # runs
    "timeout_s": (TASKS, '"timeout_s": 3600'),
    "timeout_max_s": (EDGES, "timeout_max_s"),
    "max_attempts": (EDGES, "max_attempts"),
    "pause_after_failures": (TASKS, '"pause_after_failures": 10'),
    "tell_after_failures": ("engine/test_ending.py", "told_once_after_three_failures"),
    "spread_max_s": (EDGES, "spread_max_s"),
    "catch_up_once_s": (POLICY, "catch_up_once_s"),
    "catch_up_all_s": (POLICY, "catch_up_all_s"),
    "catch_up_min_s": (POLICY, "catch_up_min_s"),
    "catch_up_max_s": (POLICY, "catch_up_max_s"),
    "catch_up_window_max_s": (EDGES, "catch_up_window_max_s"),
    "on_time_s": (POLICY, "on_time_s"),
    "heartbeat_write_s": ("engine/test_heartbeats.py", "written_every_fifteen"),
    "thinking_s": ("unit/actions/test_chat_actions.py", "test_thinking_shows_for_thirty_seconds"),
    # delivery
    "delivery_window_s": ("engine/test_rescue.py", "nobody took it in time"),
    "socket_auth_s": (FRAMES, "socket_auth_s"),
    "socket_ack_s": (PUSHES, "socket_ack_s"),
    "socket_keep_alive_s": (PUSHES, "socket_keep_alive_s"),
    "socket_in_flight": (PUSHES, "socket_in_flight"),
    "poll_repeat_s": ("delivery/test_polling.py", "test_a_call_is_handed_out_once_and_again"),
    "long_poll_s": (
        "api/test_agent_events.py",
        "test_a_wait_that_is_no_number_of_seconds_up_to_60",
    ),
    "webhook_timeout_s": (SENDER, "webhook_timeout_s"),
    "webhook_answer_bytes": (SENDER, "webhook_answer_bytes"),
    "webhook_parallel": (WEBHOOKS, "webhook_parallel"),
    "webhook_connections": (SENDER, "webhook_connections"),
    "webhook_tell_s": (WEBHOOKS, "test_a_failing_endpoint_is_told_after_an_hour"),
    "webhook_disable_s": (WEBHOOKS, "test_five_days_of_failures_disable_the_endpoint"),
    "secret_overlap_s": (
        "unit/actions/test_agents_actions.py",
        "test_after_a_rotation_both_secrets_work_for_a_day",
    ),
    "dedupe_s": ("engine/test_trigger.py", "test_a_repeated_call_answers_the_first_run_for_a_day"),
    "trigger_tolerance_s": (
        "unit/domain/test_inbound_verify.py",
        "test_clocks_may_differ_by_the_tolerance",
    ),
    # people
    "decision_expires_s": (EDGES, "decision_expires_s"),
    "decision_expires_max_s": (EDGES, "decision_expires_max_s"),
    "token_s": (ACCOUNTS, "token_s"),
    "diff_chars": ("unit/domain/test_changes.py", "diff_chars=20"),
    "diff_lines": ("unit/domain/test_changes.py", "diff_lines=8"),
    "strip_runs": ("api/test_results.py", "NOD_LIMIT_STRIP_RUNS"),
    "search_words": ("api/test_search_api.py", "NOD_LIMIT_SEARCH_WORDS"),
    "search_tasks": ("api/test_search_api.py", "NOD_LIMIT_SEARCH_TASKS"),
    "unread_messages": ("unit/actions/test_home_actions.py", "unread_messages="),
    "agenda_days": (AGENDA, "test_a_span_of_42_days_is_shown_and_not_one_more"),
    "agenda_fires": ("unit/domain/test_agenda.py", "agenda_fires=23"),
    "feed_events": (AGENDA, "NOD_LIMIT_FEED_EVENTS"),
    "feed_past_s": (AGENDA, "NOD_LIMIT_FEED_PAST_S"),
    "feed_future_s": (AGENDA, "NOD_LIMIT_FEED_FUTURE_S"),
    "undo_max_s": ("unit/actions/test_held_answers.py", "undo_max_s"),
    "setup_link_s": ("unit/actions/test_setup_actions.py", "test_a_setup_link_works_for_a_day"),
    "session_unused_s": (SESSIONS, "test_a_browser_unused_for_thirty_days_is_signed_out"),
    "session_max_s": (SESSIONS, "test_a_browser_signs_in_again_after_ninety_days"),
    "session_rotate_s": (SESSIONS, "test_the_cookie_changes_after_a_day_of_use"),
    "session_overlap_s": (SESSIONS, "test_the_former_cookie_works_for_a_minute"),
    "session_seen_s": (SESSIONS, "session_seen_s"),
    "notify_targets": (NOTIFICATIONS, "notify_targets"),
    "notify_parallel": (NOTIFIER, "notify_parallel"),
    "notify_timeout_s": ("unit/notify/test_push.py", "notify_timeout_s"),
    "notify_window_s": (NOTIFIER, "notify_window_s"),
    "notify_disable_s": (NOTIFIER, "test_a_target_that_fails_for_days_is_given_up"),
    "notify_unread_s": (NOTIFIER, "notify_unread_s"),
    "act_s": (NOTIFIER, "act_s"),
    # keeping
    "retention_s": ("engine/test_sweep.py", "test_old_events_activity_and_keys_go_too"),
    "usage_s": ("engine/test_budgets.py", "test_days_outlive_their_runs_and_go_after_usage_s"),
    "retention_runs": ("engine/test_sweep.py", "retention_runs"),
    "drain_s": ("faults/test_roles.py", "drain_s=1"),
    "shutdown_s": ("e2e/test_demo.py", "status, seconds = demo.stop()"),
}


def test_every_limit_has_an_entry_and_no_entry_is_of_a_former_limit() -> None:
    assert set(TESTED) == {field.name for field in fields(Limits)}


@pytest.mark.parametrize("limit", sorted(TESTED))
def test_the_test_of_a_limit_is_there(limit: str) -> None:
    file, marker = TESTED[limit]
    assert marker in (TESTS / file).read_text(encoding="utf-8"), f"{file} says nothing of {limit}"
