"""Every page of the app. A new page is one more line."""

from typing import NamedTuple


class Shown(NamedTuple):
    """A page: the name of its pictures, and its address with the sample's ids in braces."""

    name: str
    address: str
    is_public: bool = False


# Pages that are there once, at the first start.
FIRST_START = ("setup", "agent-connect")

PAGES = (
    Shown("login", "/login", is_public=True),
    Shown("offline", "/offline", is_public=True),
    Shown("home", "/"),
    Shown("agent-new", "/agents/new"),
    Shown("agent-settings", "/agents/{agent_id}/settings"),
    Shown("chat", "/chats/{conversation_id}"),
    Shown("result", "/runs/{run_id}"),
    Shown("tasks", "/tasks"),
    Shown("task-new", "/tasks/new"),
    Shown("task", "/tasks/{task_id}"),
    Shown("task-edit", "/tasks/{task_id}/edit"),
    Shown("event-task", "/tasks/{event_task_id}"),
    Shown("event-task-edit", "/tasks/{event_task_id}/edit"),
    Shown("event-task-trigger", "/tasks/{event_task_id}/trigger"),
    Shown("guarded-task-trigger", "/tasks/{guarded_task_id}/trigger"),
    Shown("requests", "/requests"),
    Shown("request", "/requests/{decision_id}"),
    Shown("request-call", "/requests/{look_id}"),
    Shown("activity", "/activity"),
    Shown("more", "/more"),
    Shown("settings", "/settings"),
    Shown("agenda", "/agenda"),
    Shown("agenda-week", "/agenda?view=week"),
    Shown("agenda-month", "/agenda?view=month"),
    Shown("deliveries", "/deliveries"),
    Shown("delivery", "/deliveries/{delivery_id}"),
    Shown("search", "/search?q=pull+req"),
    Shown("chat-at", "/chats/{conversation_id}?at={message_id}#{message_id}"),
    Shown("notifications", "/settings/notifications"),
    Shown("told", "/settings/notifications/told"),
    Shown("problem", "/chats/none"),
)
