from dataclasses import replace
from ipaddress import ip_address, ip_network

import pytest

from nod.delivery.address_guard import AddressGuard, Refused
from nod.domain.errors import InvalidInput
from nod.domain.limits import Limits

LIMITS = Limits()
CLOSED = AddressGuard([])

INNER = [
    "127.0.0.1",
    "127.255.255.254",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",  # cloud metadata
    "168.63.129.16",  # Azure
    "100.64.0.1",  # carrier-grade NAT
    "100.100.100.200",  # Alibaba's metadata
    "0.0.0.0",  # noqa: S104 - nothing is bound to it
    "0.1.2.3",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "192.0.0.192",  # Oracle's metadata
    "192.0.2.1",
    "192.88.99.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "::",
    "::1",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "fc00::1",
    "fd00:ec2::254",  # AWS metadata
    "ff02::1",
    "100::1",
    "2001:db8::1",
    "3fff::1",
    "5f00::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "2002:7f00:1::",
    "2002:a00:1::1",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::a00:1",
    "2001:0:7f00:1::",
]


@pytest.mark.parametrize("address", INNER)
def test_an_address_inside_is_refused_and_the_setting_is_named(address: str) -> None:
    with pytest.raises(Refused, match="NOD_ALLOW_WEBHOOK_NETS"):
        CLOSED.check(ip_address(address))


@pytest.mark.parametrize(
    "address",
    [
        "8.8.8.8",
        "140.82.112.3",
        "2606:4700::1",
        "::ffff:8.8.8.8",
        "2002:808:808::1",
        "64:ff9b::808:808",  # an IPv6-only host reaches every IPv4 address in this way
    ],
)
def test_an_address_of_the_open_internet_is_let_through(address: str) -> None:
    CLOSED.check(ip_address(address))


@pytest.mark.parametrize(
    ("networks", "address"),
    [
        ("127.0.0.0/8", "127.0.0.1"),
        ("127.0.0.0/8", "::ffff:127.0.0.1"),
        ("10.0.0.0/8,::1", "::1"),
        ("10.0.0.0/8,::1", "10.9.9.9"),
        ("10.0.0.0/8", "64:ff9b::a00:1"),
        ("100.64.0.0/10", "100.100.1.1"),
        ("fe80::/10", "fe80::1%eth0"),
    ],
)
def test_a_listed_network_is_let_through(networks: str, address: str) -> None:
    AddressGuard([ip_network(each) for each in networks.split(",")]).check(ip_address(address))


def test_listing_one_network_opens_no_other() -> None:
    with pytest.raises(Refused):
        AddressGuard([ip_network("10.0.0.0/8")]).check(ip_address("192.168.0.1"))


@pytest.mark.parametrize(
    ("url", "stored"),
    [
        ("https://example.com/hook", "https://example.com/hook"),
        (" HTTPS://Example.COM:443/hook?a=b#top ", "https://example.com/hook?a=b"),
        ("http://example.com:8080", "http://example.com:8080"),
        ("https://bücher.example/ü", "https://xn--bcher-kva.example/%C3%BC"),
        ("http://8.8.8.8/", "http://8.8.8.8/"),
        ("http://[2606:4700::1]/", "http://[2606:4700::1]/"),
        ("http://localhost/", "http://localhost/"),  # a name is checked at each connect
    ],
)
def test_a_url_is_stored_in_its_normal_form(url: str, stored: str) -> None:
    assert CLOSED.check_url(url, LIMITS) == stored


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.com/hook",
        "//example.com/hook",
        "ftp://example.com/",
        "file:///etc/passwd",
        "https://",
        "https:///hook",
        "https://example.com:0/",
        "https://example.com:port/",
        "https://[::1",
        "https://exa\nmple.com/",
        "https://xn--/",
        "https://me:secret@example.com/",
        "https://me@example.com/",
    ],
)
def test_a_url_that_cannot_be_called_is_not_stored(url: str) -> None:
    with pytest.raises(InvalidInput, match="webhook_url"):
        CLOSED.check_url(url, LIMITS)


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "127.1", "0x7f.1", "2130706433", "0177.1"])
def test_a_literal_inner_address_is_not_stored_however_it_is_written(host: str) -> None:
    with pytest.raises(Refused, match="loopback"):
        CLOSED.check_url(f"http://{host}:8000/hook", LIMITS)


def test_a_listed_literal_address_is_stored() -> None:
    guard = AddressGuard([ip_network("127.0.0.0/8")])

    assert guard.check_url("http://127.0.0.1:9/", LIMITS) == "http://127.0.0.1:9/"


def test_a_url_longer_than_the_limit_is_not_stored() -> None:
    with pytest.raises(InvalidInput, match="at most 30"):
        CLOSED.check_url("https://example.com/" + "a" * 11, replace(LIMITS, webhook_url_chars=30))
