"""Which cron expressions and zones are accepted, and what is said about the others."""

import pytest

from nod.domain.cron import rule
from nod.domain.errors import InvalidInput
from nod.domain.instant import HOUR
from nod.domain.schedule import check_cron, check_timezone


@pytest.mark.parametrize(
    ("written", "normal"),
    [
        ("0 9 * * 1-5", "0 9 * * 1-5"),
        ("  0\t9 *  * mon-Fri ", "0 9 * * MON-FRI"),
        ("*/5,3 0-12/3 1,15 jan,Jul-SEP *", "*/5,3 0-12/3 1,15 JAN,JUL-SEP *"),
        ("0 0 l * *", "0 0 L * *"),
        ("0 0 lw * *", "0 0 LW * *"),
        ("0 0 * * 5l", "0 0 * * 5L"),
        ("0 0 * * tue#5", "0 0 * * TUE#5"),
        ("0 0 29 2 *", "0 0 29 2 *"),
        ("0 0 29 2 */7", "0 0 29 2 */7"),
        ("0 0 30 2 1", "0 0 30 2 1"),
        ("@Daily", "@daily"),
        ("@hourly", "@hourly"),
        ("@midnight", "@midnight"),
        ("@weekly", "@weekly"),
        ("@monthly", "@monthly"),
        ("@yearly", "@yearly"),
        ("@annually", "@annually"),
    ],
)
def test_an_expression_is_put_in_its_normal_form(written: str, normal: str) -> None:
    assert check_cron(written) == normal
    assert check_cron(normal) == normal


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("", "has 0 fields"),
        ("0 9 * *", "has 4 fields"),
        ("0 0 9 * * 1", "has 6 fields"),
        ("60 9 * * *", "minute '60' cannot be read; it may be 0-59"),
        ("0 24 * * *", "hour '24' cannot be read; it may be 0-23"),
        ("0 9 32 * *", "day of the month '32' cannot be read"),
        ("0 9 0 * *", "day of the month '0' cannot be read"),
        ("0 9 * 13 *", "month '13' cannot be read"),
        ("0 9 * FOO *", "month 'FOO' cannot be read"),
        ("0 9 * * 8", "weekday '8' cannot be read"),
        ("0 9 * * FRI-MON", "weekday 'FRI-MON' cannot be read"),
        ("0 9 * * 1#6", "weekday '1#6' cannot be read"),
        ("0 9 * * XL", "weekday 'XL' cannot be read"),
        ("0 9 * * ²L", "weekday '²L' cannot be read"),
        ("*/0 9 * * *", "minute '*/0' cannot be read"),
        ("1, 9 * * *", "minute '1,' cannot be read"),
        ("1.5 9 * * *", "minute '1.5' cannot be read"),
        ("0 9 L/2 * *", "day of the month 'L/2' cannot be read"),
        ("0 9 ? * 1", "day of the month '?' cannot be read"),
        ("0 0 30 2 *", "The schedule '0 0 30 2 *' never fires"),
        ("0 0 31 4,6,9,11 *", "never fires"),
        ("0 0 */40 * 1#2", "never fires"),
        ("@reboot", "not to a machine that starts"),
        ("@fortnightly", "'@fortnightly' is none of @hourly, @daily"),
        ("0 9 * * " + "1," * 300 + "1", "longer than 600 characters"),
        ("9" * 500 + " * * * *", "minute '999"),
    ],
)
def test_what_cannot_fire_is_refused_with_the_reason_and_an_example(
    written: str, said: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        check_cron(written)
    assert said in refused.value.detail
    assert 'A correct schedule is "0 9 * * 1-5"' in refused.value.detail
    assert len(refused.value.detail) < 400


@pytest.mark.parametrize(
    "name",
    ["UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires", "Etc/GMT+12", "GMT", "Asia/Kolkata"],
)
def test_iana_names_are_accepted(name: str) -> None:
    assert check_timezone(name) == name


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("Europe/Berlln", "Europe/Berlin"),
        ("europe/berlin", "Europe/Berlin"),
        ("Berlin", "Europe/Berlin"),
        ("new york", "America/New_York"),
        ("utc", "UTC"),
        ("", "Europe/Berlin or UTC"),
        ("localtime", "Europe/Berlin or UTC"),
        ("posixrules", "Europe/Berlin or UTC"),
        ("Factory", "not an IANA time zone"),
        ("../../etc/localtime", "not an IANA time zone"),
        ("/usr/share/zoneinfo/UTC", "not an IANA time zone"),
        ("posix/Europe/Berlin", "not an IANA time zone"),
        ("Europe/../Europe/Berlin", "not an IANA time zone"),
        ("Europe", "not an IANA time zone"),
        ("+02:00", "not an IANA time zone"),
        ("Europe/Berlin\x00", "not an IANA time zone"),
        ("x" * 100_000, "not an IANA time zone"),
    ],
)
def test_another_name_is_refused_with_what_was_probably_meant(name: str, said: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        check_timezone(name)
    assert said in refused.value.detail
    assert len(refused.value.detail) < 300


@pytest.mark.parametrize(
    ("name", "tried"),
    [
        ("Europe/Berln", "Europe/Berlin, Europe/Dublin, Europe/Belfast"),
        ("Asia/Toky", "Asia/Tokyo, Asia/Tomsk, Asia/Omsk"),
        ("berlin", "Europe/Berlin"),
        ("new york", "America/New_York"),
        ("Mars/Phobos", "Europe/Berlin or UTC"),
    ],
)
def test_a_zone_that_is_misspelt_is_answered_with_those_that_are_near(
    name: str, tried: str
) -> None:
    with pytest.raises(InvalidInput, match=f"exactly spelled; try {tried}\\.$"):
        check_timezone(name)


def test_an_expression_may_have_600_characters() -> None:
    longest = "0 9 * * 1".ljust(600)
    assert check_cron(longest) == "0 9 * * 1"
    with pytest.raises(InvalidInput, match="longer than 600 characters"):
        check_cron(longest + " ")


@pytest.mark.parametrize("sign", [1, -1])
def test_fixed_times_are_carried_over_changes_of_up_to_three_hours(sign: int) -> None:
    assert rule("30 2 * * *").bridges(sign * 3 * HOUR)
    assert not rule("30 2 * * *").bridges(sign * (3 * HOUR + 1))
    assert not rule("*/30 2 * * *").bridges(sign * HOUR)
