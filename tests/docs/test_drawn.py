"""What the documentation draws from the program is as the program is."""

import pytest

from docs.book import page, pages, parts
from docs.drawings import drawings
from nod.domain.states import (
    DECISION_TRANSITIONS,
    EVENT_TRANSITIONS,
    RUN_TRANSITIONS,
    Transition,
    mermaid,
)

AGAIN = "draw them anew: PYTHONPATH=tests .venv/bin/python -m docs.generate"


def test_drawn_parts_show_the_program_as_it_is() -> None:
    drawn = drawings()
    old = [
        f"{name} in {path.name}"
        for path in pages()
        for name, body in parts(path.read_text(encoding="utf-8")).items()
        if body != drawn[name]
    ]
    assert old == [], AGAIN


def test_everything_that_can_be_drawn_is_on_a_page() -> None:
    shown = {name for path in pages() for name in parts(path.read_text(encoding="utf-8"))}
    assert shown == set(drawings())


@pytest.mark.parametrize(
    ("name", "transitions"),
    [
        ("run-chart", RUN_TRANSITIONS),
        ("event-chart", EVENT_TRANSITIONS),
        ("decision-chart", DECISION_TRANSITIONS),
    ],
)
def test_state_charts_are_the_tables_of_transitions(
    name: str, transitions: tuple[Transition, ...]
) -> None:
    assert parts(page("docs/concepts.md"))[name] == f"```mermaid\n{mermaid(transitions)}\n```\n"
