"""The bytes of an event, the same on every channel."""

import msgspec

from nod.store.effects import Outgoing


def wire(outgoing: Outgoing) -> str:
    """The event as JSON. A payload from outside stands beside the prompt, never in it."""
    body = outgoing.event.body
    if outgoing.payload is None:
        return body
    brought = outgoing.payload
    return f'{body[:-1]},"payload":{brought.payload},"trigger":{brought.inbound}}}'


class _Traced(msgspec.Struct):
    traceparent: str
    tracestate: str | None = None


def trace_headers(event: str) -> dict[str, str]:
    """The headers of W3C Trace Context for an event that stands in a trace."""
    if '"traceparent":"' not in event:  # in a text of the event its quotes would be escaped
        return {}
    found = msgspec.json.decode(event, type=_Traced)
    state = {} if found.tracestate is None else {"tracestate": found.tracestate}
    return {"traceparent": found.traceparent, **state}
