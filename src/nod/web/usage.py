"""What was used by day, as pages draw it: budgets as bars with words, the days as a chart."""

from collections.abc import Sequence
from dataclasses import dataclass

from nod.actions.usage import DEFAULT_DAYS, UsageReport
from nod.domain.budget import (
    MEASURES,
    NOTHING,
    Measure,
    Share,
    Used,
    Verdict,
    budget_words,
    dollars,
    share_words,
    shares,
)
from nod.domain.instant import MINUTE
from nod.domain.words import duration_words
from nod.domain.zones import start_of_day
from nod.engine.budgets import Account
from nod.store.usage import UsedOn
from nod.web.times import Times

DAYS = DEFAULT_DAYS
_HEIGHT = 84  # of the area of the bars
_STEP = 12  # from one day to the next
# A budget further above what is used than this would leave of the bars nothing to see.
_FAR = 4
_MOST_TASKS = 8
_LABELS: dict[Measure, str] = {
    "cost_usd": "Cost",
    "tokens": "Tokens",
    "runs": "Runs",
    "minutes": "Work",
}
_CHIPS: dict[Verdict, tuple[str, str, str]] = {
    "free": ("ok", "check", "within it"),
    "ask": ("warn", "warn", "nearly used up"),
    "over": ("bad", "cross", "used up"),
    "lifted": ("run", "play", "goes on today"),
    "stopped": ("", "pause", "stopped for today"),
}
_MEANS: dict[Verdict, str] = {
    "free": "",
    "ask": "Nothing more runs today once it is used up.",
    "over": "What comes due is skipped until midnight.",
    "lifted": "It does not count until midnight, because you said so.",
    "stopped": "What comes due is skipped until midnight, because you said so.",
}


@dataclass(frozen=True, slots=True)
class Gauge:
    """One thing that a budget names: `8 of 10 runs`, and the bar up to 100."""

    words: str
    percent: int
    full: int
    look: str


@dataclass(frozen=True, slots=True)
class Standing:
    """A budget today, with its chip, what it means, and the request about it that waits."""

    title: str
    words: str
    chip: tuple[str, str, str]
    means: str
    gauges: tuple[Gauge, ...]
    decision_id: str | None


@dataclass(frozen=True, slots=True)
class Bar:
    """A day of the chart; `y` and `height` are where its bar stands, `words` say it."""

    x: float
    y: float
    height: float
    look: str
    words: str


@dataclass(frozen=True, slots=True)
class Choice:
    """A measure that the chart can show, and how much of it there was in all."""

    measure: Measure
    label: str
    words: str


@dataclass(frozen=True, slots=True)
class Chart:
    """The days as bars. `line` is where the budget stands; `most` names the highest day."""

    measure: Measure
    label: str
    bars: tuple[Bar, ...]
    line: float | None
    budget: str
    most: str
    total: str
    first: str


@dataclass(frozen=True, slots=True)
class TaskLine:
    """How much of it was one task's."""

    task_id: str
    name: str
    words: str
    percent: int


@dataclass(frozen=True, slots=True)
class Row:
    """A day in the table."""

    day: str
    used: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Panel:
    """All of it. `chart` is None where nothing was used."""

    standings: tuple[Standing, ...]
    choices: tuple[Choice, ...]
    chart: Chart | None
    tasks: tuple[TaskLine, ...]
    rows: tuple[Row, ...]


def panel(report: UsageReport, times: Times, wanted: str = "") -> Panel:
    """What a page shows of the report; `wanted` is the measure that its reader has chosen."""
    total = report.total
    used = tuple(each for each in reversed(MEASURES) if amount(total, each))
    chosen = next((each for each in used if each == wanted), None) or _first(report, used)
    return Panel(
        tuple(map(_standing, report.accounts)),
        tuple(Choice(each, _LABELS[each], short(total, each)) for each in sorted(used, key=_place)),
        None if chosen is None else _chart(report, times, chosen),
        () if chosen is None else _tasks(report, chosen),
        tuple(_row(each, report.zone, times) for each in reversed(report.days) if _is_used(each)),
    )


def _first(report: UsageReport, used: Sequence[Measure]) -> Measure | None:
    """What is shown unasked: what a budget is about, else money, else what there is."""
    in_budget = [each.share.measure for each in report.accounts]
    order = (*in_budget, *_LABELS)
    return next((each for each in order if each in used), None)


def _place(measure: Measure) -> int:
    return list(_LABELS).index(measure)


def _is_used(each: UsedOn) -> bool:
    return each.used != NOTHING


def amount(used: Used, measure: Measure) -> int:
    """How much of it was used, in its smallest unit; never less than nothing."""
    match measure:
        case "runs":
            found = used.runs
        case "tokens":
            found = used.input_tokens + used.output_tokens
        case "cost_usd":
            found = used.cost_microusd
        case "minutes":
            found = used.work_ms
    return max(0, found)


def words(value: int, measure: Measure) -> str:
    """`$4.10`, `3 runs`, `1,200 tokens`, `51 min`."""
    match measure:
        case "cost_usd":
            return dollars(value)
        case "minutes":
            return duration_words(value // 1000)
        case _:
            return f"{value:,} {measure if value != 1 else measure[:-1]}"


def short(used: Used, measure: Measure) -> str:
    """The same for a narrow place: `1.2 M` tokens."""
    value = amount(used, measure)
    if measure in ("cost_usd", "minutes"):
        return words(value, measure)
    for size, name in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if value >= 10 * size or (value >= size and size > 10**3):
            return f"{value / size:.1f} {name}".replace(".0 ", " ")
    return f"{value:,}"


def _standing(account: Account) -> Standing:
    name = account.agent.name
    waits = account.decision_id if account.today is None else None
    return Standing(
        "Budget of this task" if account.task is not None else f"Budget of {name}, all tasks",
        budget_words(account.budget),
        _CHIPS[account.verdict],
        _MEANS[account.verdict],
        tuple(_gauge(each, account.verdict) for each in shares(account.budget, account.used)),
        waits,
    )


def _gauge(share: Share, verdict: Verdict) -> Gauge:
    look = "lifted" if verdict == "lifted" else "free"
    if verdict != "lifted" and share.percent >= 80:
        look = "over" if share.percent >= 100 else "ask"
    return Gauge(share_words(share), share.percent, min(share.percent, 100), look)


def _chart(report: UsageReport, times: Times, measure: Measure) -> Chart:
    values = [amount(each.used, measure) for each in report.days]
    highest = max(values)
    limit = _limit(report, measure)
    shown = limit if limit is not None and limit <= _FAR * max(highest, 1) else None
    top = max(highest, shown or 0, 1)
    bars = tuple(
        _bar(place, each, value, top, shown, measure, report.zone, times)
        for place, (each, value) in enumerate(zip(report.days, values, strict=True))
    )
    most = report.days[values.index(highest)]
    return Chart(
        measure,
        _LABELS[measure],
        bars,
        None if shown is None else _y(shown, top),
        "" if limit is None else f"budget {words(limit, measure)} a day",
        f"Most: {words(highest, measure)}, {_day(most, report.zone, times)}.",
        f"{words(sum(values), measure)} in {len(values)} days.",
        _day(report.days[0], report.zone, times),
    )


def _limit(report: UsageReport, measure: Measure) -> int | None:
    """The budget of that measure, in its smallest unit: the task's own before the agent's."""
    found = (
        share.most
        for account in report.accounts
        for share in shares(account.budget, NOTHING)
        if share.measure == measure
    )
    return next(found, None)


def _bar(
    place: int,
    each: UsedOn,
    value: int,
    top: int,
    limit: int | None,
    measure: Measure,
    zone: str,
    times: Times,
) -> Bar:
    y = _y(value, top)
    look = "over" if limit is not None and value >= limit else "under"
    height = _HEIGHT - y
    if value and height < 2:  # so that a little is not nothing
        y, height = _HEIGHT - 2, 2
    said = f"{_day(each, zone, times)}: {words(value, measure)}"
    return Bar(place * _STEP + 1.5, round(y, 1), round(height, 1), look, said)


def _y(value: int, top: int) -> float:
    return round(_HEIGHT - value * _HEIGHT / top, 1)


def _day(each: UsedOn, zone: str, times: Times) -> str:
    return times.there(zone).day(start_of_day(each.day, zone))


def _tasks(report: UsageReport, measure: Measure) -> tuple[TaskLine, ...]:
    """Those that used most of it, the one that used most first."""
    found = [(amount(each.used, measure), each.task) for each in report.tasks]
    whole = sum(value for value, _ in found)
    lines = [
        TaskLine(task.id, task.name, words(value, measure), value * 100 // whole)
        for value, task in found
        if value
    ]
    return tuple(sorted(lines, key=lambda line: -line.percent)[:_MOST_TASKS])


def _row(each: UsedOn, zone: str, times: Times) -> Row:
    worked = amount(each.used, "minutes")
    return Row(
        _day(each, zone, times),
        (
            f"{amount(each.used, 'runs'):,}",
            f"{amount(each.used, 'tokens'):,}",
            dollars(amount(each.used, "cost_usd")),
            duration_words(worked // 1000) if worked < MINUTE else f"{worked // MINUTE:,} min",
        ),
    )
