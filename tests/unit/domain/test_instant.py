"""Instants: exact, in both directions, and only those that every zone's clock can show."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nod.domain.errors import InvalidInput
from nod.domain.instant import SECOND, from_datetime, parse_rfc3339, rfc3339, to_datetime


@given(st.integers(0, 7_258_118_399_999))
def test_an_instant_comes_back_from_a_datetime_to_the_millisecond(at: int) -> None:
    assert from_datetime(to_datetime(at)) == at
    assert parse_rfc3339(rfc3339(at), "at") == at // SECOND * SECOND


def test_fractions_of_a_millisecond_are_dropped_also_before_1970() -> None:
    moment = datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)
    assert from_datetime(moment) == -1
    assert from_datetime(datetime(2026, 1, 1, tzinfo=UTC) + timedelta(microseconds=999)) % 1000 == 0
    east = timezone(timedelta(hours=2))
    assert from_datetime(datetime(1970, 1, 1, 2, tzinfo=east)) == 0


@pytest.mark.parametrize(
    "text",
    [
        "2025-09-01T10:30:00Z",
        "2025-09-01t10:30:00z",
        "2025-09-01 12:30:00+02:00",
        "2025-09-01T10:30Z",
        "2025-09-01T10:30:00.0004Z",
        "2025-09-01T00:00:00-10:30",
    ],
)
def test_a_time_with_its_offset_is_read(text: str) -> None:
    assert rfc3339(parse_rfc3339(text, "run_at")) == "2025-09-01T10:30:00Z"


@pytest.fixture
def host_in_tokyo(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("host_in_tokyo")
def test_the_wire_shows_utc_whatever_the_zone_of_the_host() -> None:
    assert rfc3339(0) == "1970-01-01T00:00:00Z"
    assert rfc3339(1_999) == "1970-01-01T00:00:01Z"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "tomorrow",
        "2025-09-01T10:30:00",
        "2025-02-30T10:30:00Z",
        "2025-09-01T10:30:60Z",
        "\uff12025",
    ],
)
def test_what_is_no_time_is_refused_by_its_field(text: str) -> None:
    with pytest.raises(InvalidInput, match="run_at must be a time with its offset"):
        parse_rfc3339(text, "run_at")


@pytest.mark.parametrize(
    ("text", "inside"),
    [
        ("1970-01-01T00:00:00Z", True),
        ("1969-12-31T23:59:59Z", False),
        ("2199-12-31T23:59:59Z", True),
        ("2200-01-01T00:00:00Z", False),
        ("0001-01-01T00:00:00+23:59", False),
        ("9999-12-31T23:59:59-23:59", False),
    ],
)
def test_times_reach_from_1970_to_2199(text: str, inside: bool) -> None:
    if inside:
        assert rfc3339(parse_rfc3339(text, "run_at")) == text
    else:
        with pytest.raises(InvalidInput, match="run_at must be between 1970 and 2199"):
            parse_rfc3339(text, "run_at")
