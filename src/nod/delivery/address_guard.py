"""Which addresses a webhook may go to, so that nobody can make Nod call into its own network.

A name is checked by the addresses it has at the moment of connecting (see `connect.py`): a check
when the URL is stored says nothing about where the name points later.
"""

import socket
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

import httpx

from nod.domain.errors import InvalidInput
from nod.domain.limits import Limits

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

SETTING = "NOD_ALLOW_WEBHOOK_NETS"

# What `ipaddress` does not call private, reserved, multicast or the like, and is not the open
# internet either. Its tables differ between Python releases, so the well-known ones are here too.
_BLOCKED: tuple[Network, ...] = tuple(
    ip_network(text)
    for text in (
        "100.64.0.0/10",  # carrier-grade NAT, RFC 6598
        "168.63.129.16/32",  # Azure's metadata and platform address
        "192.0.0.0/24",  # protocol assignments, RFC 6890
        "192.88.99.0/24",  # 6to4 relays, RFC 7526
        "198.18.0.0/15",  # benchmarking, RFC 2544
        "100::/64",  # discard, RFC 6666
        "3fff::/20",  # documentation, RFC 9637
        "5f00::/16",  # segment routing, RFC 9602
        "fec0::/10",  # old site-local, RFC 3879
    )
)
_NAT64 = IPv6Network("64:ff9b::/96")  # RFC 6052
_LOW_32 = 0xFFFF_FFFF


class Refused(InvalidInput):
    """The address may not be called; the sentence says which setting would allow it."""


class AddressGuard:
    """Lets through the open internet and the networks that the operator listed."""

    def __init__(self, allowed: Sequence[Network]) -> None:
        self._allowed = tuple(allowed)

    def check(self, ip: Address) -> None:
        """Raise Refused unless the address, and any IPv4 address inside it, may be called."""
        if self._listed(ip):
            return
        for address in _reached(ip):
            kind = _blocked_kind(address)
            if kind and not self._listed(address):
                raise Refused(f"address {ip} is {kind}; list its network in {SETTING} to allow it")

    def check_url(self, url: str, limits: Limits) -> str:
        """The URL in its normal form, if a webhook may be stored with it; else InvalidInput.

        A literal address is checked here; a name is checked at each connect.
        """
        if len(url) > limits.webhook_url_chars:
            raise InvalidInput(
                f"has {len(url)} characters; at most {limits.webhook_url_chars} fit",
                field="webhook_url",
            )
        parsed = _parse(url)
        literal = as_address(parsed.host)
        if literal is not None:
            self.check(literal)
        return str(parsed.copy_with(fragment=None))

    def _listed(self, ip: Address) -> bool:
        return any(ip in network for network in self._allowed if network.version == ip.version)


def as_address(host: str) -> Address | None:
    """The address that a URL's host is, in any notation that resolvers take (`127.1`, `0x7f.1`)."""
    try:
        return ip_address(host)
    except ValueError:
        pass
    try:
        return IPv4Address(socket.inet_aton(host))
    except (OSError, ValueError):
        return None


def _parse(url: str) -> httpx.URL:
    try:
        parsed = httpx.URL(url.strip())
        usable = parsed.scheme in ("http", "https") and parsed.host and parsed.port != 0
    except (httpx.InvalidURL, UnicodeError, ValueError):
        problem = "is not a URL; write it as https://host/path"
        raise InvalidInput(problem, field="webhook_url") from None
    if not usable:
        problem = "must begin with https:// or http:// and name a host"
        raise InvalidInput(problem, field="webhook_url")
    if parsed.userinfo:
        raise InvalidInput(
            "must not carry a user name or password;"
            " the signature headers prove that Nod is calling",
            field="webhook_url",
        )
    return parsed


def _blocked_kind(ip: Address) -> str | None:
    kinds = {
        "unspecified": ip.is_unspecified,
        "a loopback address": ip.is_loopback,
        "link-local": ip.is_link_local,
        "multicast": ip.is_multicast,
        "private": ip.is_private,
        "reserved": ip.is_reserved or _is_special(ip),
    }
    return next((kind for kind, is_so in kinds.items() if is_so), None)


def _is_special(ip: Address) -> bool:
    return any(ip in network for network in _BLOCKED if network.version == ip.version)


def _reached(ip: Address) -> list[Address]:
    """The addresses that a packet to `ip` may arrive at: gateways unpack the IPv4 one inside."""
    if isinstance(ip, IPv4Address):
        return [ip]
    if ip.ipv4_mapped is not None:
        return [ip.ipv4_mapped]
    if ip in _NAT64:  # how a host without IPv4 reaches every IPv4 address, so not bad in itself
        return [IPv4Address(int(ip) & _LOW_32)]
    return [ip] if ip.sixtofour is None else [ip, ip.sixtofour]
