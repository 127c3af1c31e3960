"""Browsers in the words of their owners, and the networks callers are counted by."""

import pytest

from nod.domain.browsers import browser_words, network_of

_CHROME = "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 Chrome/130.0 Mobile Safari"
_SAFARI = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) Version/18.1 Mobile Safari/604.1"
_FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0"
_EDGE = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/130.0 Safari/537.36 Edg/130.0"


@pytest.mark.parametrize(
    ("header", "words"),
    [
        (_CHROME, "Chrome on Android"),
        (_SAFARI, "Safari on iPhone"),
        (_FIREFOX, "Firefox on Linux"),
        (_EDGE, "Edge on Windows"),
        ("Firefox", "Firefox"),
        ("curl/8.5.0", "A browser"),
        ("", "A browser"),
    ],
)
def test_a_browser_is_named_as_its_owner_calls_it(header: str, words: str) -> None:
    assert browser_words(header) == words


@pytest.mark.parametrize(
    ("host", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("not an address", None),
        (None, None),
    ],
)
def test_a_caller_is_counted_by_its_address_or_its_subscribers_network(
    host: str | None, network: str | None
) -> None:
    assert network_of(host) == network
