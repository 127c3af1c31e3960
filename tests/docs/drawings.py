"""The parts of the documentation that are drawn from the program, by their names."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields
from typing import Any

import click
from litestar.handlers import HTTPRouteHandler
from prometheus_client import Metric

from nod.api.frames_table import CLOSE_CODES, FROM_AGENT, TO_AGENT, WEBHOOK_HEADERS, Frame
from nod.api.frames_table import Field as FrameField
from nod.cli.main import main as nod_command
from nod.cli.task_output import main as output_command
from nod.domain.limits import Limits
from nod.domain.states import (
    DECISION_TRANSITIONS,
    EVENT_TRANSITIONS,
    RUN_TRANSITIONS,
    Transition,
    mermaid,
)
from nod.mcp.server import TOOLS
from nod.server import framework
from nod.telemetry.metrics import Metrics

_UNITS = (("_bytes", "bytes"), ("_chars", "characters"), ("_s", "seconds"))
_SIZES = ((1024**2, "MiB"), (1024, "KiB"))
_TIMES = ((86_400, "d"), (3_600, "h"), (60, "min"))


def drawings() -> dict[str, str]:
    """Every drawn part."""
    return {
        "limits": _limits(),
        "run-chart": _chart(RUN_TRANSITIONS),
        "run-table": _transitions(RUN_TRANSITIONS),
        "event-chart": _chart(EVENT_TRANSITIONS),
        "event-table": _transitions(EVENT_TRANSITIONS),
        "decision-chart": _chart(DECISION_TRANSITIONS),
        "decision-table": _transitions(DECISION_TRANSITIONS),
        "commands": _commands(),
        "routes": _table(("Call", "What it does"), _routes()),
        "frames-from-agent": "".join(map(_frame, FROM_AGENT)),
        "frames-to-agent": "".join(map(_frame, TO_AGENT)),
        "close-codes": _table(
            ("Code", "Meaning"), ([f"`{code}`", text] for code, text in CLOSE_CODES.items())
        ),
        "webhook-headers": _table(
            ("Header", "Meaning"), ([f"`{f.name}`", _meaning(f)] for f in WEBHOOK_HEADERS)
        ),
        "mcp-tools": _table(
            ("Tool", "What it does"), ([f"`{t.name}`", _first_line(t.description)] for t in TOOLS)
        ),
        "metrics": _table(("Name", "Kind", "Labels", "Meaning"), _metrics()),
    }


def routes() -> list[tuple[str, str, HTTPRouteHandler]]:
    """Method, path and handler of every route that is part of the API."""
    found = [
        (method, path, handler)
        for route in framework(Limits()).routes
        for handler in getattr(route, "route_handlers", ())
        if isinstance(handler, HTTPRouteHandler) and handler.resolve_include_in_schema()
        for path in [_plain_path(route.path)]
        for method in sorted(handler.http_methods - {"OPTIONS", "HEAD"})
    ]
    return sorted(found, key=lambda each: (each[1], each[0]))


def commands() -> Iterator[tuple[str, click.Command]]:
    """Every command by its full name, groups included."""
    yield from _tree("nod", nod_command)
    yield "nod-task-output", output_command


def _tree(name: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    yield name, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for each in command.list_commands(context):
            inner = command.get_command(context, each)
            if inner is not None:
                yield from _tree(f"{name} {each}", inner)


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    cells = ([cell.replace("|", "\\|").replace("\n", " ") for cell in line] for line in lines)
    return "".join(f"| {' | '.join(line)} |\n" for line in cells)


def _limits() -> str:
    rows = [
        [
            f"`NOD_LIMIT_{each.name.upper()}`",
            _shown(each.name, getattr(Limits(), each.name)),
            _unit(each.name),
            each.metadata["meaning"],
        ]
        for each in fields(Limits)
    ]
    return _table(("Variable", "Default", "Unit", "Meaning"), rows)


def _unit(name: str) -> str:
    return next((unit for end, unit in _UNITS if name.endswith(end)), "count")


def _shown(name: str, value: int) -> str:
    sizes = _SIZES if name.endswith("_bytes") else _TIMES if name.endswith("_s") else ()
    for size, unit in sizes:
        if value >= size and value % size == 0:
            return f"{value} ({value // size} {unit})"
    return str(value)


def _chart(transitions: tuple[Transition, ...]) -> str:
    return f"```mermaid\n{mermaid(transitions)}\n```\n"


def _transitions(transitions: tuple[Transition, ...]) -> str:
    return _table(
        ("What", "From", "To", "When"),
        ([f"`{t.verb}`", t.source, t.target, t.meaning] for t in transitions),
    )


def _commands() -> str:
    return "\n".join(_command(name, command) for name, command in commands())


def _command(name: str, command: click.Command) -> str:
    context = click.Context(command, info_name=name)
    usage = " ".join([name, *command.collect_usage_pieces(context)])
    about = (command.help or "").partition("\b")[0].strip()
    text = " ".join(about.split())
    options = [_option(each, context) for each in command.params if isinstance(each, click.Option)]
    table = _table(("Option", "Meaning"), options) + "\n" if options else ""
    return f"### `{name}`\n\n`{usage}`\n\n{text}\n\n{table}".rstrip("\n") + "\n"


def _option(option: click.Option, context: click.Context) -> tuple[str, str]:
    record = option.get_help_record(context) or ("", "")
    return f"`{record[0]}`", record[1] or "How many."


def _routes() -> list[list[str]]:
    return [
        [f"`{method} {path}`", _first_line(handler.fn.__doc__)]
        for method, path, handler in routes()
    ]


def _plain_path(path: str) -> str:
    return "/".join(
        "{" + part[1:-1].partition(":")[0] + "}" if part.startswith("{") else part
        for part in path.split("/")
    )


def _first_line(text: str | None) -> str:
    return (text or "").strip().partition("\n\n")[0].replace("\n    ", " ").replace("\n", " ")


def _frame(frame: Frame) -> str:
    rows = [[f"`{f.name}`", "yes" if f.required else "", _meaning(f)] for f in frame.fields]
    table = "\n" + _table(("Field", "Required", "Meaning"), rows) if rows else ""
    also = f" By REST as `{frame.also[0]}`." if frame.also else ""
    return f"### `{frame.type}`\n\n{frame.meaning}{also}\n{table}\n"


def _meaning(field: FrameField) -> str:
    values: list[Any] = field.schema.get("enum", [])
    return (
        f"{field.meaning} One of {', '.join(f'`{v}`' for v in values)}."
        if values
        else field.meaning
    )


def _metrics() -> Iterator[list[str]]:
    registry = Metrics().registry
    for metric in sorted(registry.collect(), key=lambda each: each.name):
        if metric.name.startswith("nod_"):
            yield [f"`{_sample_name(metric)}`", metric.type, _labels(metric), metric.documentation]


def _sample_name(metric: Metric) -> str:
    return f"{metric.name}_total" if metric.type == "counter" else metric.name


def _labels(metric: Metric) -> str:
    return {
        "nod_skips": "`reason`",
        "nod_deliveries": "`channel`, `outcome`",
        "nod_runs_ended": "`status`",
        "nod_set_aside": "`what`",
    }.get(metric.name, "")
