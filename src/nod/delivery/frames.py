"""The bytes of an event, the same on every channel."""

from nod.store.effects import Outgoing


def wire(outgoing: Outgoing) -> str:
    """The event as JSON. A payload from outside stands beside the prompt, never in it."""
    body = outgoing.event.body
    if outgoing.payload is None:
        return body
    brought = outgoing.payload
    return f'{body[:-1]},"payload":{brought.payload},"trigger":{brought.inbound}}}'
