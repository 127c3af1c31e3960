"""What a browser calls itself, in the words of its owner; and where a caller comes from."""

from ipaddress import AddressValueError, IPv4Address, IPv6Address, IPv6Network

# The first that fits: most browsers name others beside themselves.
_BROWSERS = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser", "Samsung Internet"),
    ("Firefox", "Firefox"),
    ("FxiOS", "Firefox"),
    ("CriOS", "Chrome"),
    ("Chrome", "Chrome"),
    ("Safari", "Safari"),
)
_SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("CrOS", "ChromeOS"),
    ("Mac OS X", "Mac"),
    ("Linux", "Linux"),
)
# What one subscriber has of IPv6 (RFC 6177): counting single addresses would count nothing.
_SUBSCRIBER_BITS = 64


def browser_words(user_agent: str) -> str:
    """A browser as its owner calls it, from its User-Agent header: `Chrome on Android`."""
    browser = next((name for mark, name in _BROWSERS if mark in user_agent), "A browser")
    system = next((name for mark, name in _SYSTEMS if mark in user_agent), None)
    return browser if system is None else f"{browser} on {system}"


def network_of(host: str | None) -> str | None:
    """Under which address a caller is counted: an IPv4 address itself, of IPv6 its /64.

    None for a caller without an address, such as one on a Unix socket.
    """
    try:
        return str(IPv4Address(host or ""))
    except AddressValueError:
        pass
    try:
        address = IPv6Address(host or "")
    except AddressValueError:
        return None
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(IPv6Network((int(address), _SUBSCRIBER_BITS), strict=False))
