"""What other processes are told of a commit, and what they make of it (`nod.bus`)."""

from typing import get_args

from nod.bus.hints import Hints
from nod.domain.instant import Instant
from nod.store.effects import Effects, Stage

_STAGES: tuple[Stage, ...] = get_args(Stage)
# A retry is the process's that made the attempt before it; others look for it in their own time.
_OWN: Stage = "deliver"


def hints_of(effects: Effects, *, delivers: bool) -> Hints:
    """What others need to know of a commit of this process. One that `delivers` not, or not for
    long, leaves to them what it would do itself."""
    timers: dict[str, Instant] = {
        stage: at for stage, at in effects.timers.items() if stage != _OWN or not delivers
    }
    if effects.outbox and not delivers:
        timers[_OWN] = 0
    hints = Hints(
        timers=timers,
        agents={outgoing.event.agent_id for outgoing in effects.outbox},
        changed=set(effects.changed),
    )
    for fact in effects.facts:
        hints.fact(fact.name, fact.fields)
    return hints


def timers_of(hints: Hints) -> dict[Stage, Instant]:
    """Those of the stages that this process knows; a newer one may have others."""
    return {stage: hints.timers[stage] for stage in _STAGES if stage in hints.timers}
