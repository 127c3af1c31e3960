"""An event as a CloudEvent, for endpoints that take those.

CloudEvents 1.0.2, JSON event format, in the structured mode of its HTTP binding: one JSON object
under the type `application/cloudevents+json`, with Nod's event unchanged as its `data`.
"""

import msgspec

from nod.domain.instant import Instant, rfc3339

CONTENT_TYPE = "application/cloudevents+json"
_TYPE_PREFIX = "nod."


class _Known(msgspec.Struct):
    """What of an event says where it comes from."""

    type: str
    event_id: str
    task_id: str | None = None
    run_id: str | None = None
    task_run_id: str | None = None
    traceparent: str | None = None
    tracestate: str | None = None


def cloud_event(event: str, agent_id: str, at: Instant, public_url: str) -> str:
    """The event, as JSON, in its envelope.

    `source` is the page of the task, or of the agent where the event is of none, and `subject` the
    run. Together with `id`, the event's, they are the same on every retry.
    """
    known = msgspec.json.decode(event, type=_Known)
    page = f"tasks/{known.task_id}" if known.task_id else f"agents/{agent_id}/settings"
    run_id = known.run_id or known.task_run_id
    envelope = {
        "specversion": "1.0",
        "id": known.event_id,
        "source": f"{public_url.rstrip('/')}/{page}",
        "type": f"{_TYPE_PREFIX}{known.type}",
        "time": rfc3339(at),
        "datacontenttype": "application/json",
        **({"subject": run_id} if run_id else {}),
        # The extension "Distributed Tracing".
        **({"traceparent": known.traceparent} if known.traceparent else {}),
        **({"tracestate": known.tracestate} if known.tracestate else {}),
        "data": msgspec.Raw(event.encode()),
    }
    return msgspec.json.encode(envelope).decode()
