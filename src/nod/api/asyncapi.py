"""The AsyncAPI 3.0 document: the agent's socket, and the webhooks that stand in for it."""

from typing import Any

from nod.api.frames_table import (
    CLOSE_CODES,
    CLOUD_EVENT,
    CLOUD_EVENT_FRAME,
    FRAMES,
    FROM_AGENT,
    TO_AGENT,
    WEBHOOK_HEADERS,
    Field,
    Frame,
    Json,
)
from nod.delivery.cloud_events import CONTENT_TYPE
from nod.version import __version__

_MESSAGES = "#/components/messages"
_WEBHOOKS = tuple(frame for frame in TO_AGENT if frame.by_webhook)


def document(public_url: str) -> Json:
    """The whole document, for a server reached at `public_url`."""
    scheme, _, host = public_url.partition("://")
    place, _, path = host.partition("/")
    server = {
        "host": place,
        "protocol": "wss" if scheme == "https" else "ws",
        "description": "This server.",
        **({"pathname": f"/{path}"} if path else {}),
    }
    return {
        "asyncapi": "3.0.0",
        "id": "urn:nod:agent-events",
        "info": {
            "title": "Nod: frames and webhooks",
            "version": __version__,
            "description": "What an agent and Nod tell each other beside the REST API.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": {"nod": server},
        "channels": {"agentSocket": _socket(), "agentWebhook": _webhook()},
        "operations": _operations(),
        "components": {"messages": _messages()},
    }


def _socket() -> Json:
    closed = " ".join(f"{code}: {meaning}" for code, meaning in CLOSE_CODES.items())
    return {
        "address": "/ws/agent/{agent_id}",
        "title": "The agent's WebSocket",
        "description": f"JSON text frames, auth first. Close codes: {closed}",
        "servers": [{"$ref": "#/servers/nod"}],
        "parameters": {"agent_id": {"description": "The agent's id, agt_…"}},
        "messages": {frame.type: _ref(frame) for frame in FRAMES},
        "bindings": {"ws": {"method": "GET", "bindingVersion": "0.1.0"}},
    }


def _webhook() -> Json:
    return {
        "address": None,  # the agent says which
        "title": "The agent's webhook_url",
        "description": "An event is POSTed there while the agent has no socket open; any 2xx"
        " within 30 s takes it. The body is the frame, or where the agent's webhook_format is"
        " cloudevents, a CloudEvent whose data is the frame.",
        "messages": {
            frame.type: {"$ref": f"{_MESSAGES}/{frame.type}_webhook"} for frame in _WEBHOOKS
        }
        | {CLOUD_EVENT: {"$ref": f"{_MESSAGES}/{CLOUD_EVENT}_webhook"}},
    }


def _operations() -> Json:
    return {
        "receiveFromAgent": _operation("receive", "agentSocket", FROM_AGENT),
        "sendToAgent": _operation("send", "agentSocket", TO_AGENT),
        "postToWebhook": {
            **_operation("send", "agentWebhook", (*_WEBHOOKS, CLOUD_EVENT_FRAME)),
            "bindings": {"http": {"method": "POST", "bindingVersion": "0.3.0"}},
        },
    }


def _operation(action: str, channel: str, frames: tuple[Frame, ...]) -> Json:
    return {
        "action": action,
        "channel": {"$ref": f"#/channels/{channel}"},
        "messages": [{"$ref": f"#/channels/{channel}/messages/{frame.type}"} for frame in frames],
    }


def _messages() -> Json:
    messages = {frame.type: _message(frame) for frame in FRAMES}
    for frame in _WEBHOOKS:
        headers = _object(WEBHOOK_HEADERS)
        messages[f"{frame.type}_webhook"] = {**_message(frame), "headers": headers}
    messages[f"{CLOUD_EVENT}_webhook"] = _cloud_event()
    return messages


def _cloud_event() -> Json:
    """The envelope that any webhook may come in."""
    return {
        "name": CLOUD_EVENT,
        "title": CLOUD_EVENT,
        "summary": CLOUD_EVENT_FRAME.meaning,
        "contentType": CONTENT_TYPE,
        "headers": _object(WEBHOOK_HEADERS),
        "payload": _object(CLOUD_EVENT_FRAME.fields),
        "examples": [{"name": CLOUD_EVENT, "payload": CLOUD_EVENT_FRAME.example}],
    }


def _message(frame: Frame) -> Json:
    payload = _object((Field("type", {"const": frame.type}, "", required=True), *frame.fields))
    return {
        "name": frame.type,
        "title": frame.type,
        "summary": frame.meaning,
        "contentType": "application/json",
        "payload": payload,
        "examples": [{"name": frame.type, "payload": frame.example}],
    }


def _object(fields: tuple[Field, ...]) -> Json:
    properties: dict[str, Any] = {
        field.name: {**field.schema, **({"description": field.meaning} if field.meaning else {})}
        for field in fields
    }
    required = [field.name for field in fields if field.required]
    return {"type": "object", "required": required, "properties": properties}


def _ref(frame: Frame) -> Json:
    return {"$ref": f"{_MESSAGES}/{frame.type}"}
