"""How long a secret is good for."""

from dataclasses import replace

from nod.domain.credentials import FOR_GOOD, holds_until
from support.values import AGENT

ROTATED = replace(AGENT, secret_hash="new", old_secret_hash="old", old_secret_until=1000)


def test_the_present_secret_is_good_for_good_and_the_former_for_a_while() -> None:
    assert holds_until(ROTATED, "new") == FOR_GOOD
    assert holds_until(ROTATED, "old") == 1000


def test_any_other_secret_is_good_for_nothing() -> None:
    assert holds_until(ROTATED, "older") == 0
    never_rotated = replace(AGENT, secret_hash="only")
    assert holds_until(never_rotated, "") == 0
    assert holds_until(replace(never_rotated, old_secret_hash="old"), "old") == 0
