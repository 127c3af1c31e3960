"""A person's agents."""

import msgspec
from litestar import Controller, Response, delete, get, patch, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody
from msgspec import UNSET, UnsetType

from nod.actions import agents, endpoint, rules
from nod.actions.agents import AgentChanges, Credentials
from nod.actions.usage import UsageReport, usage_of_agent
from nod.api.auth import require_user
from nod.api.paging import page_size
from nod.api.usage import DEFAULT_DAYS, Days, UsageReportView, usage_report_view
from nod.api.user.views import (
    AgentView,
    DecisionView,
    NewAgentView,
    RuleView,
    agent_fields,
    decision_view,
    rule_view,
)
from nod.app import Nod
from nod.delivery.address_guard import AddressGuard
from nod.domain.budget import Budget
from nod.domain.model import Agent, User, WebhookFormat
from nod.store.store import Tx

_SHOWN_ONCE = {"Cache-Control": "no-store"}


class AgentFields(msgspec.Struct):
    """A new agent. `kind` is interactive or approval_only."""

    name: str
    kind: str = "interactive"
    timezone: str | None = None
    webhook_url: str | None = None
    webhook_format: WebhookFormat = "nod"


class AgentEdit(msgspec.Struct):
    """What to change of an agent; what is not there stays, null clears it."""

    name: str | UnsetType = UNSET
    timezone: str | UnsetType | None = UNSET
    webhook_url: str | UnsetType | None = UNSET
    budget: Budget | UnsetType | None = UNSET
    webhook_format: WebhookFormat | UnsetType = UNSET


class RuleFields(msgspec.Struct):
    """What to allow always: the pattern as the agent offers it, and a name for it."""

    pattern: str
    label: str = ""


class TrialView(msgspec.Struct):
    """What the endpoint answered: `status` null and an `error` where it did not."""

    ok: bool
    status: int | None
    latency_ms: int
    answer: str
    error: str | None


class Agents(Controller):
    """Agents: making, changing and removing them."""

    path = "/api/agents"
    tags = ("Agents",)
    guards = (require_user,)

    @get()
    async def list_agents(
        self, nod: NamedDependency[Nod], user: NamedDependency[User]
    ) -> list[AgentView]:
        """All of the person's agents, the oldest first."""
        found = await nod.store.read(lambda tx: tx.people.agents_of(user.id))
        return [_view(nod, each) for each in found]

    @post()
    async def create_agent(
        self, nod: NamedDependency[Nod], user: NamedDependency[User], data: JSONBody[AgentFields]
    ) -> Response[NewAgentView]:
        """Make an agent. Its secret and webhook_secret are in this answer and in no other."""
        made = await nod.store.write(
            lambda tx: agents.create_agent(
                tx,
                nod.vault,
                _guard(nod),
                user,
                data.name,
                data.kind,
                data.timezone,
                data.webhook_url,
                data.webhook_format,
            )
        )
        return Response(_new_view(nod, made), headers=_SHOWN_ONCE)

    @get("/{agent_id:str}")
    async def get_agent(
        self, nod: NamedDependency[Nod], user: NamedDependency[User], agent_id: FromPath[str]
    ) -> AgentView:
        """One agent."""
        return _view(nod, await nod.store.read(lambda tx: agents.get_agent(tx, user, agent_id)))

    @patch("/{agent_id:str}")
    async def update_agent(
        self,
        nod: NamedDependency[Nod],
        user: NamedDependency[User],
        agent_id: FromPath[str],
        data: JSONBody[AgentEdit],
    ) -> AgentView:
        """Change name, timezone, webhook, budget. Setting the URL lets a disabled one try again."""

        async def change(tx: Tx) -> Agent:
            agent = await agents.get_agent(tx, user, agent_id)
            return await agents.update_agent(tx, _guard(nod), agent, _changes(data))

        return _view(nod, await nod.store.write(change))

    @delete("/{agent_id:str}", status_code=204)
    async def remove_agent(
        self, nod: NamedDependency[Nod], user: NamedDependency[User], agent_id: FromPath[str]
    ) -> None:
        """Remove the agent: its secret stops, its tasks end, its runs are cancelled."""

        async def remove(tx: Tx) -> None:
            await agents.remove_agent(tx, await agents.get_agent(tx, user, agent_id))

        await nod.store.write(remove)

    @post("/{agent_id:str}/rotate-secret", status_code=200)
    async def rotate_secret(
        self, nod: NamedDependency[Nod], user: NamedDependency[User], agent_id: FromPath[str]
    ) -> Response[NewAgentView]:
        """A new secret and webhook_secret, shown this once. The old ones work for 24 hours."""

        async def rotate(tx: Tx) -> Credentials:
            agent = await agents.get_agent(tx, user, agent_id)
            return await agents.rotate_secret(tx, nod.vault, agent)

        return Response(_new_view(nod, await nod.store.write(rotate)), headers=_SHOWN_ONCE)

    @post("/{agent_id:str}/test-webhook", status_code=200)
    async def try_webhook(
        self, nod: NamedDependency[Nod], user: NamedDependency[User], agent_id: FromPath[str]
    ) -> TrialView:
        """Send a signed event of the type `test` to the webhook URL once, and say what came."""
        call = await nod.store.read(
            lambda tx: endpoint.make_trial_call(
                tx, nod.vault, user, agent_id, nod.settings.public_url
            )
        )
        answer = await nod.sender.send(call.url, call.headers, call.body)
        return TrialView(
            answer.reason == "ok", answer.status, answer.latency_ms, answer.head, answer.error
        )

    @get("/{agent_id:str}/usage")
    async def agent_usage(
        self,
        nod: NamedDependency[Nod],
        user: NamedDependency[User],
        agent_id: FromPath[str],
        days: Days = DEFAULT_DAYS,
    ) -> UsageReportView:
        """What all tasks of the agent used up in the last days, and how far its budget of today
        is."""

        async def look(tx: Tx) -> UsageReport:
            return await usage_of_agent(tx, await agents.get_agent(tx, user, agent_id), days)

        return usage_report_view(await nod.store.read(look))

    @get("/{agent_id:str}/rules")
    async def list_rules(
        self, nod: NamedDependency[Nod], user: NamedDependency[User], agent_id: FromPath[str]
    ) -> list[RuleView]:
        """What the person always allows the agent, the oldest first."""
        found = await nod.store.read(lambda tx: rules.list_rules(tx, user, agent_id))
        return [rule_view(each) for each in found]

    @post("/{agent_id:str}/rules")
    async def add_rule(
        self,
        nod: NamedDependency[Nod],
        user: NamedDependency[User],
        agent_id: FromPath[str],
        data: JSONBody[RuleFields],
    ) -> RuleView:
        """Always allow the agent what it names by this pattern."""
        made = await nod.store.write(
            lambda tx: rules.add_rule(tx, user, agent_id, data.pattern, data.label)
        )
        return rule_view(made)

    @get("/{agent_id:str}/rules/answered")
    async def list_answered(
        self,
        nod: NamedDependency[Nod],
        user: NamedDependency[User],
        agent_id: FromPath[str],
        limit: FromQuery[int | None] = None,
    ) -> list[DecisionView]:
        """The requests that the rules answered, the newest first."""
        size = page_size(limit, nod.limits)
        found = await nod.store.read(lambda tx: rules.allowed_lately(tx, user, agent_id, size))
        return [decision_view(each) for each in found]

    @delete("/{agent_id:str}/rules/{rule_id:str}", status_code=204)
    async def remove_rule(
        self,
        nod: NamedDependency[Nod],
        user: NamedDependency[User],
        agent_id: FromPath[str],
        rule_id: FromPath[str],
    ) -> None:
        """Do not allow this any more: the person is asked again."""
        await nod.store.write(lambda tx: rules.remove_rule(tx, user, agent_id, rule_id))


def _guard(nod: Nod) -> AddressGuard:
    return AddressGuard(nod.settings.allow_webhook_nets)


def _view(nod: Nod, agent: Agent) -> AgentView:
    connected = nod.sockets.connected(agent.id)
    return AgentView(**agent_fields(agent, nod.clock.now(), connected=connected))


def _new_view(nod: Nod, made: Credentials) -> NewAgentView:
    agent = made.agent
    connected = nod.sockets.connected(agent.id)
    return NewAgentView(
        agent_id=agent.id,
        secret=made.secret,
        webhook_secret=made.webhook_secret,
        **agent_fields(agent, nod.clock.now(), connected=connected),
    )


def _changes(data: AgentEdit) -> AgentChanges:
    given = {
        name: value
        for name in AgentEdit.__struct_fields__
        if (value := getattr(data, name)) is not UNSET
    }
    return AgentChanges(frozenset(given), **given)
