"""Every limit of Nod, with its unit and its default.

Each can be set by an environment variable: `NOD_LIMIT_` and the field's name in upper case, so
`NOD_LIMIT_BODY_BYTES=2097152`. docs/limits.md lists them all (a test holds it to this file).
"""

from dataclasses import dataclass, field

KIB = 1024
MIB = 1024 * KIB
MINUTE = 60
HOUR = 60 * MINUTE
DAY = 24 * HOUR


def _limit(default: int, meaning: str) -> int:
    return field(default=default, metadata={"meaning": meaning})


@dataclass(frozen=True, slots=True)
class Limits:
    """All limits. Units are in the names: `_bytes`, `_chars`, `_s` (seconds), else a count."""

    # what one request or frame may carry
    body_bytes: int = _limit(1 * MIB, "body of a request, and of an inbound trigger")
    event_body_bytes: int = _limit(8 * MIB, "body of a request that may carry an image or output")
    frame_bytes: int = _limit(8 * MIB, "one WebSocket frame from an agent")
    image_bytes: int = _limit(5 * MIB, "one image, decoded")
    upload_bytes: int = _limit(20 * MIB, "pictures that a person uploads with one request")
    upload_pixels: int = _limit(40_000_000, "pixels (width times height) of an uploaded picture")
    picture_side_px: int = _limit(2_048, "longer side to which an uploaded picture is scaled down")
    message_pictures: int = _limit(6, "pictures of one message of a person")
    json_depth: int = _limit(64, "levels of nesting in JSON that Nod reads")
    form_fields: int = _limit(1_000, "fields of a form post to a trigger")
    shape_places: int = _limit(1_000, "fields of a call that quarantine compares with earlier ones")
    shape_depth: int = _limit(16, "levels of a call that quarantine compares with earlier ones")

    # texts
    name_chars: int = _limit(200, "name of an agent, a task or a person")
    title_chars: int = _limit(300, "title of a decision, report, proposal or alert")
    prompt_chars: int = _limit(100_000, "prompt of a task")
    description_chars: int = _limit(10_000, "description of a task or decision, note, or reason")
    summary_chars: int = _limit(1_000, "summary of a completion")
    message_chars: int = _limit(200_000, "text of one message")
    status_text_chars: int = _limit(200, "text beside Thinking…")
    output_bytes: int = _limit(1 * MIB, "full deliverable of a run (UTF-8)")
    context_block_bytes: int = _limit(64 * KIB, "one block of a run's scratchpad (UTF-8)")
    context_run_bytes: int = _limit(1 * MIB, "all blocks of a run's scratchpad (UTF-8)")
    webhook_url_chars: int = _limit(2_000, "an agent's webhook URL")
    decision_options: int = _limit(20, "options of one decision")
    always_patterns: int = _limit(20, "always-allow patterns offered by one decision")

    # how many
    tasks_per_agent: int = _limit(1_000, "tasks an agent may create; people are not limited")
    tasks_per_agent_hour: int = _limit(60, "tasks an agent may create in an hour")
    triggers_per_minute: int = _limit(30, "calls of one trigger URL in a minute")
    held_calls: int = _limit(20, "calls of one trigger that wait for a look at the same time")
    trusted_senders: int = _limit(100, "senders that one trigger trusts")
    call_shown_chars: int = _limit(2_000, "part of a held call that its request shows")
    queue_scheduled: int = _limit(1, "runs waiting behind a running one, scheduled task")
    queue_event: int = _limit(100, "runs waiting behind a running one, event task")
    catch_up_runs: int = _limit(100, "runs made at once by catch_up = all")
    missed_entries: int = _limit(1_000, "missed fires of one task listed one by one after downtime")
    open_decisions: int = _limit(100, "decisions of one agent that wait for an answer")
    page_items: int = _limit(100, "items of one page of a list, the most that ?limit= may ask")
    connections_per_agent: int = _limit(10, "WebSocket connections of one agent")
    database_connections: int = _limit(10, "connections of one process to a PostgreSQL server")
    password_min_chars: int = _limit(8, "shortest password of an account")
    password_chars: int = _limit(1_000, "longest password of an account")
    login_attempts: int = _limit(10, "failed logins of one account in 15 minutes")
    login_attempts_address: int = _limit(50, "failed logins from one address in 15 minutes")

    # runs
    timeout_s: int = _limit(3_600, "default of a task's timeout_s")
    timeout_max_s: int = _limit(DAY, "highest timeout_s, and longest working time of a run")
    max_attempts: int = _limit(10, "highest max_attempts of a task")
    pause_after_failures: int = _limit(10, "default of a task's pause_after_failures")
    tell_after_failures: int = _limit(3, "consecutive failures after which the person is told")
    spread_max_s: int = _limit(HOUR, "highest spread_s of a task")
    catch_up_once_s: int = _limit(DAY, "default catch-up window of a one-time task")
    catch_up_all_s: int = _limit(DAY, "default catch-up window with catch_up = all")
    catch_up_min_s: int = _limit(120, "smallest default catch-up window")
    catch_up_max_s: int = _limit(7_200, "largest default catch-up window")
    catch_up_window_max_s: int = _limit(30 * DAY, "highest catch_up_window_s of a task")
    on_time_s: int = _limit(30, "lateness that still counts as on time under catch_up = skip")
    heartbeat_write_s: int = _limit(15, "how often heartbeats are written to the database")
    thinking_s: int = _limit(30, "how long Thinking… shows after a heartbeat")

    # delivery
    delivery_window_s: int = _limit(DAY, "how long a run's event is tried before it is dead")
    socket_auth_s: int = _limit(10, "time for the first frame of a socket")
    socket_ack_s: int = _limit(10, "time for an ack where the agent asked for strict acks")
    socket_keep_alive_s: int = _limit(20, "healthy time after a push that counts as its ack")
    socket_in_flight: int = _limit(1_000, "events sent on a socket and not yet acknowledged")
    poll_repeat_s: int = _limit(600, "after which a polled trigger is handed out again")
    long_poll_s: int = _limit(60, "highest wait_s of a long poll")
    webhook_timeout_s: int = _limit(30, "time for a webhook endpoint to answer")
    webhook_answer_bytes: int = _limit(2 * KIB, "part of a webhook's answer that is kept")
    webhook_parallel: int = _limit(8, "webhook calls to one agent at the same time")
    webhook_connections: int = _limit(500, "webhook calls at the same time, and hosts kept open")
    webhook_tell_s: int = _limit(HOUR, "failing time after which the owner is told")
    webhook_disable_s: int = _limit(5 * DAY, "failing time after which an endpoint is disabled")
    secret_overlap_s: int = _limit(DAY, "how long the old secret works after a rotation")
    dedupe_s: int = _limit(DAY, "how long a repeated trigger call answers the first run")
    trigger_tolerance_s: int = _limit(300, "age of a signed trigger call that is still accepted")

    # people
    decision_expires_s: int = _limit(72 * HOUR, "default of a decision's expires_in_s")
    decision_expires_max_s: int = _limit(30 * DAY, "highest expires_in_s of a decision")
    token_s: int = _limit(7 * DAY, "life of a person's API token")
    diff_chars: int = _limit(200_000, "longest result that is compared with the one before")
    diff_lines: int = _limit(2_000, "lines of two results that are compared line by line")
    strip_runs: int = _limit(30, "newest runs in a task's strip")
    unread_messages: int = _limit(
        100, "unread messages of a conversation, or undelivered tasks of an agent, that are counted"
    )
    search_words: int = _limit(12, "words of a search that are looked for; more are left out")
    search_tasks: int = _limit(10_000, "newest tasks of a person whose names are searched")
    preview_fires: int = _limit(5_000, "fires of a month counted when a schedule is edited")
    preview_tasks: int = _limit(200, "other tasks of the agent a new schedule is compared with")
    agenda_days: int = _limit(42, "days of one agenda")
    agenda_fires: int = _limit(50, "entries of a task on one day that an agenda lists one by one")
    feed_events: int = _limit(1_000, "events of a calendar feed, those nearest to now")
    feed_past_s: int = _limit(14 * DAY, "how far back a calendar feed goes")
    feed_future_s: int = _limit(28 * DAY, "how far ahead a calendar feed goes")
    undo_max_s: int = _limit(60, "highest undo_s of an answer")
    setup_link_s: int = _limit(DAY, "life of the link that makes the first account")
    session_unused_s: int = _limit(30 * DAY, "after which a browser that is not used is signed out")
    session_max_s: int = _limit(90 * DAY, "after which a browser has to sign in again in any case")
    session_rotate_s: int = _limit(DAY, "after which a browser's cookie is changed for a new one")
    session_overlap_s: int = _limit(60, "how long the cookie before still works")
    session_seen_s: int = _limit(300, "how often the use of a browser is written to the database")

    notify_targets: int = _limit(20, "notification targets of one person")
    notify_parallel: int = _limit(100, "notifications sent at the same time")
    notify_timeout_s: int = _limit(15, "time for a push service or an Apprise target to answer")
    notify_window_s: int = _limit(DAY, "how long a notice is tried, and kept by a push service")
    notify_disable_s: int = _limit(5 * DAY, "failing time after which a target is disabled")
    notify_unread_s: int = _limit(10, "time a message has to be read before it is notified")
    act_s: int = _limit(DAY, "longest life of a button that answers a request")

    # keeping
    retention_s: int = _limit(90 * DAY, "how long runs, events, deliveries and activity are kept")
    usage_s: int = _limit(400 * DAY, "how long it is kept what tasks used up on a day")
    refused_calls: int = _limit(50, "newest refused calls of a trigger that are kept")
    refused_call_s: int = _limit(1, "how often refused calls of one trigger are written")
    upload_s: int = _limit(DAY, "how long an uploaded picture is kept that no message shows")
    retention_runs: int = _limit(100, "newest runs of a task that are kept whatever their age")
    drain_s: int = _limit(2, "how long a server that ends goes on where others take over from it")
    shutdown_s: int = _limit(10, "longest clean shutdown")
