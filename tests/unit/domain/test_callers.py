"""Who calls a trigger, and what is new about a call."""

import pytest

from nod.domain.callers import Caller, network, sender, shown_call, strange
from nod.domain.limits import Limits
from nod.domain.payload_shape import Shape

SEEN = Shape(("$: object", "ref: string"))


@pytest.mark.parametrize(
    ("address", "found"),
    [
        ("203.0.113.9", "203.0.113.0/24"),
        ("::ffff:203.0.113.9", "203.0.113.0/24"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("testclient", "an unknown address"),
        (None, "an unknown address"),
    ],
)
def test_an_address_counts_by_its_network(address: str | None, found: str) -> None:
    assert network(address) == found


def test_whoever_proves_the_secret_is_known_from_any_address() -> None:
    assert sender("github", "github", "192.0.2.1") == sender("github", "github", "198.51.100.1")
    assert sender("bearer", "curl", "192.0.2.1") != sender("bearer", "wget", "192.0.2.1")
    assert sender("none", "curl", "192.0.2.1") == "curl at 192.0.2.0/24"
    assert sender("none", "curl", "192.0.2.1") != sender("none", "curl", "198.51.100.1")


@pytest.mark.parametrize(
    ("shape", "known", "new"),
    [
        (SEEN, None, SEEN.parts),
        (Shape(("$: object",)), SEEN, None),
        (SEEN, SEEN, None),
        (Shape((*SEEN.parts, "to: string")), SEEN, ("to: string",)),
        (Shape(SEEN.parts, whole=False), SEEN, ()),
    ],
)
def test_a_call_is_strange_by_what_it_brings_anew(
    shape: Shape, known: Shape | None, new: tuple[str, ...] | None
) -> None:
    assert strange(Caller("curl", shape), known) == new


def test_a_request_says_in_a_sentence_where_a_call_comes_from_and_what_is_new() -> None:
    def said(shape: Shape, known: Shape | None) -> str:
        return shown_call("run_1", Caller("curl", shape), known, "{}", 10).description

    more = Shape((*SEEN.parts, "to: string"))
    most = Shape((*more.parts, "cc: string"))
    assert said(SEEN, None) == "It comes from curl, for the first time."
    assert said(more, SEEN) == "It comes from curl, and brings 1 thing not seen from there."
    assert said(most, SEEN) == "It comes from curl, and brings 2 things not seen from there."
    assert said(Shape(("$: object",), whole=False), SEEN).endswith("compared with earlier calls.")


def test_a_request_shows_part_of_what_is_long() -> None:
    shape = Shape(tuple(f"k{number:02}: null" for number in range(40)))
    most = Limits().call_shown_chars
    shown = shown_call("run_1", Caller("curl", shape), SEEN, "x" * (most + 15), most)
    assert (len(shown.new), shown.more_new) == (30, 10)
    assert (shown.payload, shown.more_chars) == ("x" * most, 15)
