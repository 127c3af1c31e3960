"""Signs of life, kept in memory: an agent sends one each second, few of them are written."""

from dataclasses import dataclass

from msgspec import structs

from nod.actions.chat import ProcessingFields, start_thinking
from nod.clock import Clock
from nod.domain.limits import Limits
from nod.domain.model import Agent, Channel
from nod.engine.settle import Usage, record_usage
from nod.store.store import Store, Tx


class Beat(ProcessingFields, frozen=True, kw_only=True):
    """A heartbeat as it comes in."""

    usage: Usage | None = None


@dataclass(frozen=True, slots=True)
class _Written:
    said: Beat
    until: float  # monotonic seconds; a beat that says the same is not written before


class Heartbeats:
    """Writes a beat when it says something new or when the last one written grows old."""

    def __init__(self, store: Store, clock: Clock, limits: Limits) -> None:
        self._store = store
        self._clock = clock
        self._limits = limits
        self._written: dict[tuple[str, str | None], _Written] = {}

    async def beat(self, agent: Agent, beat: Beat, via: Channel) -> None:
        """Renew the run's lease and show "Thinking…".

        Raises Conflict when the run has ended: whoever works on it should stop.
        """
        key = (agent.id, beat.task_run_id)
        known = self._written.get(key)
        # What a run costs grows with each beat; it can wait until the next one is written.
        said = structs.replace(beat, usage=None)
        if known is not None and known.said == said and self._clock.monotonic() < known.until:
            return
        timeout_s = await self._store.write(lambda tx: _write(tx, agent, beat, via))
        # A short time-out needs its renewals sooner.
        every_s = min(self._limits.heartbeat_write_s, (timeout_s or self._limits.timeout_s) / 3)
        self._written[key] = _Written(said, self._clock.monotonic() + every_s)

    def forget_run(self, agent_id: str, run_id: str) -> None:
        """The run has changed its state: the next beat looks at it again."""
        self._written.pop((agent_id, run_id), None)

    def forget_agent(self, agent_id: str) -> None:
        """The agent is idle or gone."""
        for key in [each for each in self._written if each[0] == agent_id]:
            del self._written[key]


async def _write(tx: Tx, agent: Agent, beat: Beat, via: Channel) -> float | None:
    run = await start_thinking(tx, agent, beat, via)
    if run is not None and beat.usage is not None:
        await record_usage(tx, run, beat.usage)
    return None if run is None else run.timeout_s
