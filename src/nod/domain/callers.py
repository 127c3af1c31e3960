"""Who calls a trigger, and whether that and what it brings were seen before. Pure.

A task with `quarantine` lets a call in when its sender is trusted and everything in the call has
been seen from that sender; any other waits until a person has looked at it.
"""

from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address, ip_network

from nod.domain.inbound_verify import VerifyKind
from nod.domain.payload_shape import Shape, news


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls, and the shape of what the call brings."""

    sender: str
    shape: Shape


def sender(verify: VerifyKind, product: str, address: str | None) -> str:
    """Who a call comes from, in words that are the same for the same sender.

    Whoever proves to have the task's secret is told by that and by the program that calls
    (`product`): services call from many addresses. Without a proof the network of the address
    counts as well, for the program's name is only what the caller says.
    """
    if verify != "none":
        return f"{product}, proven by {verify}"
    return f"{product} at {network(address)}"


def network(address: str | None) -> str:
    """The network that an address is in: /24 of IPv4, /64 of IPv6, which is one customer."""
    try:
        found = ip_address(address or "")
    except ValueError:
        return "an unknown address"
    if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    bits = 24 if found.version == 4 else 64
    return str(ip_network((found.packed, bits), strict=False))


def strange(caller: Caller, known: Shape | None) -> tuple[str, ...] | None:
    """What is new about a call; None: nothing, so it need not be looked at.

    `known` is what was trusted of its sender, None for a new one: then all of it is new. What is
    not compared as a whole is always strange, though there may be nothing to name.
    """
    if known is None:
        return caller.shape.parts
    new = news(caller.shape, known)
    return new if new or not caller.shape.whole else None


# of what is new a request names so many
_NAMED = 30


@dataclass(frozen=True, slots=True)
class ShownCall:
    """A call that waits for a look, as its request shows it.

    `new` names what was not there before (all of it where the sender is new), `more_new` counts
    what is not named. `payload` is JSON laid out to be read, `more_chars` what is left out of it.
    `like` more calls are like this one, `others` are not and wait for a request of their own.
    """

    run_id: str
    sender: str
    is_new_sender: bool
    can_be_trusted: bool
    new: tuple[str, ...]
    more_new: int
    payload: str
    more_chars: int
    like: int = 0
    others: int = 0

    @property
    def description(self) -> str:
        """Where it comes from and what is new, in a sentence; no word of it is the caller's, but
        the name of its program."""
        if self.is_new_sender:
            what = "for the first time"
        elif self.can_be_trusted:
            count = len(self.new) + self.more_new
            what = f"and brings {count} {'thing' if count == 1 else 'things'} not seen from there"
        else:
            what = "and is too large to be compared with earlier calls"
        return f"It comes from {self.sender}, {what}."


def shown_call(
    run_id: str, caller: Caller, known: Shape | None, payload: str, most_chars: int
) -> ShownCall:
    """The call for its request. `known` is what was trusted of its sender, None for a new one."""
    new = strange(caller, known) or ()
    return ShownCall(
        run_id,
        caller.sender,
        is_new_sender=known is None,
        can_be_trusted=caller.shape.whole,
        new=new[:_NAMED],
        more_new=len(new[_NAMED:]),
        payload=payload[:most_chars],
        more_chars=len(payload[most_chars:]),
    )
