"""An agent and its tasks as values, for tests of the domain, which need no store."""

from typing import Any

import msgspec

from nod.domain.limits import Limits
from nod.domain.model import Agent, Task
from nod.domain.task_fields import TaskFields, new_task
from support.clock import MONDAY_9

AGENT = Agent(
    id="agt_1",
    owner_id="usr_1",
    name="Ada",
    kind="interactive",
    timezone=None,
    secret_hash="",
    old_secret_hash=None,
    old_secret_until=None,
    old_secret_in_use=False,
    webhook_url=None,
    webhook_key="",
    old_webhook_key=None,
    webhook_failing_since=None,
    webhook_told_at=None,
    webhook_disabled=None,
    last_seen_at=None,
    status_text=None,
    thinking_until=None,
    thinking_in=None,
    created_at=0,
    deleted_at=None,
)


def make_task(**given: Any) -> Task:
    """A task of AGENT, made on MONDAY_9 for a person in Berlin."""
    return make_task_for(AGENT, **given)


def make_task_for(agent: Agent, **given: Any) -> Task:
    """The same for any agent."""
    wanted = {"name": "Report", "prompt": "Say it.", "schedule": "0 10 * * *", **given}
    fields = msgspec.convert(wanted, TaskFields)
    return new_task(fields, agent, "Europe/Berlin", "agent", MONDAY_9, Limits())
