"""What can be set of one agent: its name, its secret, its webhook, what it is always allowed."""

from dataclasses import dataclass, field
from typing import Any

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery

from nod.actions import agents, endpoint, rules
from nod.actions.agents import AgentChanges
from nod.actions.usage import usage_of_agent
from nod.delivery.address_guard import AddressGuard
from nod.delivery.webhook import Answer
from nod.domain.errors import Conflict, InvalidInput, NodError
from nod.domain.instant import SECOND
from nod.domain.model import Agent, AllowRule, Conversation, Decision
from nod.domain.zones import timezones
from nod.store.store import Tx
from nod.web import budget_form
from nod.web.start import at_fault, said, typed
from nod.web.usage import DAYS, Panel, panel
from nod.web.view import Viewer

_LABELS = {
    "name": "Name",
    "timezone": "Time zone of its tasks",
    "webhook_url": "Address that takes the events",
    "webhook_format": "What it gets",
    "pattern": "Pattern",
    "label": "Name for it, if you like",
    **budget_form.LABELS,
}
# The field of each form at which an error is shown that names none.
_FIRST = {
    "name": "name",
    "webhook": "webhook_url",
    "rules": "pattern",
    "remove": "confirm",
    "budget": "budget_cost_usd",
}
_LATELY = 100
_SHOWN = 3  # of what a rule allowed lately
_SECRET = "nod_… (its secret)"  # noqa: S105 - what stands where a secret would
_DONE = {
    "name": "Saved.",
    "webhook": "Saved. What waits for the agent goes there now.",
    "cleared": "The webhook is off. Events wait until the agent connects or asks.",
    "rule": "Kept. Requests for it are answered at once.",
    "asked": "You are asked about it again.",
    "budget": "Kept. It holds for all tasks of the agent together.",
    "no-budget": "There is no budget for the agent any more.",
}


@dataclass(frozen=True, slots=True)
class Allowed:
    """A rule, and the newest requests that it answered."""

    rule: AllowRule
    lately: list[Decision]


@dataclass(frozen=True, slots=True)
class Settings:
    """What the page shows."""

    agent: Agent
    conversation: Conversation
    rules: list[Allowed]
    usage: Panel


@dataclass(frozen=True, slots=True)
class Given:
    """What was typed into the form `at`, and why it could not be taken."""

    at: str = ""
    error: str = ""
    wrong: str = ""  # the field that is at fault
    fields: dict[str, str] = field(default_factory=dict)


_NOTHING = Given()


@get("/agents/{agent_id:str}/settings")
async def settings(
    viewer: NamedDependency[Viewer],
    agent_id: FromPath[str],
    done: FromQuery[str] = "",
    use: FromQuery[str] = "",
) -> Response[bytes]:
    """All settings of the agent. `done` names what was just done, `use` what the chart shows."""
    return await _page(viewer, agent_id, done=_DONE.get(done, ""), use=use)


async def _page(
    viewer: Viewer,
    agent_id: str,
    given: Given = _NOTHING,
    *,
    done: str = "",
    use: str = "",
    trial: Answer | None = None,
) -> Response[bytes]:
    found = await viewer.nod.store.read(lambda tx: _load(tx, viewer, agent_id, use))
    made = await viewer.page("agents/settings.html", **_values(viewer, found, given, done, trial))
    made.status_code = 400 if given.error else 200
    return made


def _values(
    viewer: Viewer, found: Settings, given: Given, done: str, trial: Answer | None
) -> dict[str, Any]:
    agent = found.agent
    return {
        "agent": agent,
        "conversation": found.conversation,
        "allowed": found.rules,
        "usage": found.usage,
        "budget_labels": budget_form.LABELS,
        "typed": {
            "name": agent.name,
            "timezone": agent.timezone or "",
            "webhook_url": agent.webhook_url or "",
            "webhook_format": agent.webhook_format,
            "pattern": "",
            "label": "",
            "confirm": "",
            **budget_form.budget_typed(agent.budget),
            **given.fields,
        },
        "error_at": given.at,
        "error": given.error,
        "wrong": given.wrong,
        "done": done,
        "trial": trial,
        "zones": timezones(),
        "url": viewer.nod.settings.public_url.rstrip("/"),
        "secret": _SECRET,
        "until": viewer.now + viewer.nod.limits.secret_overlap_s * SECOND,
    }


async def _load(tx: Tx, viewer: Viewer, agent_id: str, use: str) -> Settings:
    agent = await agents.get_agent(tx, viewer.user, agent_id)
    answered = await rules.allowed_lately(tx, viewer.user, agent_id, _LATELY)
    kept = await rules.list_rules(tx, viewer.user, agent_id)
    return Settings(
        agent,
        await tx.chat.default_conversation(agent.id),
        [Allowed(each, [one for one in answered if _is_by(one, each)][:_SHOWN]) for each in kept],
        panel(await usage_of_agent(tx, agent, DAYS), viewer.times, use),
    )


def _is_by(decision: Decision, rule: AllowRule) -> bool:
    """Whether the rule answered the request: by its pattern, or as the very same request."""
    pattern = decision.always_allow_pattern
    return (rules.itself(decision) if pattern is None else pattern) == rule.pattern


@post("/agents/{agent_id:str}/settings", status_code=200)
async def change(viewer: NamedDependency[Viewer], agent_id: FromPath[str]) -> Response[bytes]:
    """Change its name and its time zone."""
    fields = await typed(viewer.request, "name", "timezone")
    changes = AgentChanges(
        frozenset(["name", "timezone"]), name=fields["name"], timezone=fields["timezone"] or None
    )
    return await _change(viewer, agent_id, changes, Given("name", fields=fields), "name")


@post("/agents/{agent_id:str}/settings/budget", status_code=200)
async def set_budget(viewer: NamedDependency[Viewer], agent_id: FromPath[str]) -> Response[bytes]:
    """Say what all its tasks together may use up in a day; empty fields set no limit."""
    fields = await typed(viewer.request, *budget_form.FIELDS)
    given = Given("budget", fields=fields)
    try:
        budget = budget_form.read_typed(fields)
    except InvalidInput as error:
        return await _refused(viewer, agent_id, given, error)
    changes = AgentChanges(frozenset(["budget"]), budget=budget)
    return await _change(viewer, agent_id, changes, given, "budget" if budget else "no-budget")


@post("/agents/{agent_id:str}/settings/webhook", status_code=200)
async def set_webhook(viewer: NamedDependency[Viewer], agent_id: FromPath[str]) -> Response[bytes]:
    """Say where it takes its events; an empty address clears it, the same one tries it again."""
    fields = await typed(viewer.request, "webhook_url", "webhook_format")
    url, format_ = fields["webhook_url"].strip() or None, fields["webhook_format"]
    given_names = ["webhook_url", "webhook_format"] if format_ else ["webhook_url"]
    changes = AgentChanges(frozenset(given_names), webhook_url=url, webhook_format=format_)
    given = Given("webhook", fields=fields)
    return await _change(viewer, agent_id, changes, given, "webhook" if url else "cleared")


async def _change(
    viewer: Viewer, agent_id: str, changes: AgentChanges, given: Given, done: str
) -> Response[bytes]:
    guard = AddressGuard(viewer.nod.settings.allow_webhook_nets)

    async def apply(tx: Tx) -> None:
        agent = await agents.get_agent(tx, viewer.user, agent_id)
        await agents.update_agent(tx, guard, agent, changes)

    try:
        await viewer.nod.store.write(apply)
    except InvalidInput as error:
        return await _refused(viewer, agent_id, given, error)
    return _done(viewer, agent_id, done)


@post("/agents/{agent_id:str}/settings/webhook/test", status_code=200)
async def try_webhook(viewer: NamedDependency[Viewer], agent_id: FromPath[str]) -> Response[bytes]:
    """Send its endpoint a test, and show what it answers."""
    nod = viewer.nod
    call = await nod.store.read(
        lambda tx: endpoint.make_trial_call(
            tx, nod.vault, viewer.user, agent_id, nod.settings.public_url
        )
    )
    answer = await nod.sender.send(call.url, call.headers, call.body)
    if viewer.part is not None:
        return viewer.fragment("agents/settings_trial.html", trial=answer)
    return await _page(viewer, agent_id, trial=answer)


@post("/agents/{agent_id:str}/settings/secret", status_code=200)
async def rotate(viewer: NamedDependency[Viewer], agent_id: FromPath[str]) -> Response[bytes]:
    """Give it a new secret. This answer, and no other, shows it."""
    nod = viewer.nod

    async def turn(tx: Tx) -> agents.Credentials:
        agent = await agents.get_agent(tx, viewer.user, agent_id)
        return await agents.rotate_secret(tx, nod.vault, agent)

    made = await nod.store.write(turn)
    return await viewer.page(
        "agents/settings_secret.html",
        made=made,
        agent=made.agent,
        url=nod.settings.public_url.rstrip("/"),
    )


@post("/agents/{agent_id:str}/settings/rules", status_code=200)
async def add_rule(viewer: NamedDependency[Viewer], agent_id: FromPath[str]) -> Response[bytes]:
    """Always allow it what it names by a pattern."""
    fields = await typed(viewer.request, "pattern", "label")
    pattern, label = fields["pattern"], fields["label"].strip()
    try:
        await viewer.nod.store.write(
            lambda tx: rules.add_rule(tx, viewer.user, agent_id, pattern, label)
        )
    except (InvalidInput, Conflict) as error:
        return await _refused(viewer, agent_id, Given("rules", fields=fields), error)
    return _done(viewer, agent_id, "rule")


@post("/agents/{agent_id:str}/settings/rules/{rule_id:str}/remove", status_code=200)
async def remove_rule(
    viewer: NamedDependency[Viewer], agent_id: FromPath[str], rule_id: FromPath[str]
) -> Response[bytes]:
    """Ask the person again from now on."""
    await viewer.nod.store.write(lambda tx: rules.remove_rule(tx, viewer.user, agent_id, rule_id))
    return _done(viewer, agent_id, "asked")


@post("/agents/{agent_id:str}/settings/remove", status_code=200)
async def remove(viewer: NamedDependency[Viewer], agent_id: FromPath[str]) -> Response[bytes]:
    """Remove the agent, if its name was typed."""
    fields = await typed(viewer.request, "confirm")

    async def take_away(tx: Tx) -> None:
        agent = await agents.get_agent(tx, viewer.user, agent_id)
        if fields["confirm"].strip() != agent.name:
            raise InvalidInput(f"type its name, {agent.name}, to remove it")
        await agents.remove_agent(tx, agent)

    try:
        await viewer.nod.store.write(take_away)
    except InvalidInput as error:
        return await _refused(viewer, agent_id, Given("remove", fields=fields), error)
    return viewer.go("/")


async def _refused(viewer: Viewer, agent_id: str, given: Given, error: NodError) -> Response[bytes]:
    wrong = at_fault(error) or _FIRST[given.at]
    return await _page(viewer, agent_id, Given(given.at, said(error, _LABELS), wrong, given.fields))


def _done(viewer: Viewer, agent_id: str, what: str) -> Response[bytes]:
    return viewer.go(f"/agents/{agent_id}/settings?done={what}")


routes = [
    settings,
    change,
    set_budget,
    set_webhook,
    try_webhook,
    rotate,
    add_rule,
    remove_rule,
    remove,
]
