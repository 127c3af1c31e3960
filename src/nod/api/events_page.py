"""The readable page of frames and webhooks, drawn from the same table as the AsyncAPI document."""

import json
from html import escape

from nod.api.frames_table import (
    CLOSE_CODES,
    FROM_AGENT,
    TO_AGENT,
    WEBHOOK_HEADERS,
    Field,
    Frame,
    Json,
)

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Frames and webhooks · Nod</title>
<link rel="stylesheet" href="/api/docs/static/docs.css">
</head>
<body>
<header><a class="brand" href="/api/docs">Nod API</a><h1>Frames and webhooks</h1>
<p>What an agent and Nod tell each other beside the <a href="/api/docs">REST API</a>.
For programs: <a href="/api/docs/asyncapi.json">asyncapi.json</a> (AsyncAPI 3.0).</p></header>
<nav aria-label="Frames">{contents}</nav>
<main>
<section><h2 id="socket">The socket</h2>
<p><code>/ws/agent/{{agent_id}}</code> carries JSON text frames. The first is <code>auth</code>,
within 10 seconds; everything else follows <code>auth_ok</code>. A frame that cannot be taken is
answered by <code>error</code>, and the connection stays open.</p>
{closing}</section>
<section><h2 id="from">From the agent</h2>{from_agent}</section>
<section><h2 id="to">To the agent</h2>{to_agent}</section>
<section><h2 id="webhook">The webhook</h2>
<p>While the agent has no socket open, its events are POSTed to its <code>webhook_url</code>, the
frame as the body. Any 2xx within 30 seconds takes the event. The signing key is
<code>HMAC-SHA256(key = secret, "nod-webhook")</code>, the <code>webhook_secret</code> shown when
the agent was made. Every webhook carries:</p>
{headers}</section>
</main>
</body>
</html>
"""


def page() -> bytes:
    """The page in HTML, for light and dark."""
    return _PAGE.format(
        contents=_contents(),
        closing=_table("Close code", [(str(code), text) for code, text in CLOSE_CODES.items()]),
        from_agent="".join(_frame(frame) for frame in FROM_AGENT),
        to_agent="".join(_frame(frame) for frame in TO_AGENT),
        headers=_table("Header", [(field.name, _meaning(field)) for field in WEBHOOK_HEADERS]),
    ).encode()


def _contents() -> str:
    return _links("From the agent", FROM_AGENT) + _links("To the agent", TO_AGENT)


def _links(title: str, frames: tuple[Frame, ...]) -> str:
    links = "".join(f'<li><a href="#{frame.type}">{frame.type}</a></li>' for frame in frames)
    return f"<h2>{title}</h2><ul>{links}</ul>"


def _frame(frame: Frame) -> str:
    example = escape(json.dumps(frame.example, ensure_ascii=False, indent=2))
    return (
        f'<article id="{frame.type}"><h3><code>{frame.type}</code></h3>'
        f"<p>{_prose(frame.meaning)}{_elsewhere(frame)}</p>"
        f"{_fields(frame.fields)}<pre><code>{example}</code></pre></article>"
    )


def _elsewhere(frame: Frame) -> str:
    if frame.by_webhook:
        return " Also by webhook."
    if frame.also:
        return _prose(f" Also by POST /api/agent/events, as `{frame.also[0]}`.")
    return ""


def _fields(fields: tuple[Field, ...]) -> str:
    if not fields:
        return ""
    rows = "".join(
        f"<tr><td><code>{field.name}</code>{'<b>required</b>' if field.required else ''}</td>"
        f"<td><i>{escape(_kind(field.schema))}</i></td><td>{_prose(field.meaning)}</td></tr>"
        for field in fields
    )
    heads = "<tr><th>Field</th><th>Type</th><th>Meaning</th></tr>"
    return f'<div class="wide"><table><thead>{heads}</thead><tbody>{rows}</tbody></table></div>'


def _table(head: str, rows: list[tuple[str, str]]) -> str:
    body = "".join(
        f"<tr><td><code>{escape(name)}</code></td><td>{_prose(text)}</td></tr>"
        for name, text in rows
    )
    heads = f"<tr><th>{head}</th><th>Meaning</th></tr>"
    return f'<div class="wide"><table><thead>{heads}</thead><tbody>{body}</tbody></table></div>'


def _meaning(field: Field) -> str:
    values = field.schema.get("enum")
    return f"{field.meaning} One of {', '.join(values)}." if values else field.meaning


def _kind(schema: Json) -> str:
    if "enum" in schema:
        return " | ".join(schema["enum"])
    if schema.get("type") == "array":
        return f"list of {_kind(schema['items'])}"
    kind = schema.get("type", "any JSON")
    return " | ".join(kind) if isinstance(kind, list) else str(kind)


def _prose(text: str) -> str:
    """Text as HTML; what stands between backticks becomes code."""
    parts = escape(text).split("`")
    return "".join(
        f"<code>{part}</code>" if place % 2 else part for place, part in enumerate(parts)
    )
