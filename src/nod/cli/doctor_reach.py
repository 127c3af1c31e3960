"""What `nod doctor` looks at beyond this machine: the public URL, webhooks, who notifies people.

Nothing is sent to anybody but the public URL, which is asked whether it is alive.
"""

import asyncio
import ssl
from collections.abc import Sequence
from email.utils import parsedate_to_datetime
from ipaddress import ip_address
from urllib.parse import urlsplit

import httpcore
import httpx
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidHandshake

from nod.cli.doctor_here import Stored
from nod.cli.finding import Finding
from nod.clock import Clock
from nod.config import Settings
from nod.delivery.address_guard import AddressGuard, Refused
from nod.delivery.connect import GuardedBackend
from nod.domain.errors import InvalidInput
from nod.domain.instant import SECOND, from_datetime
from nod.domain.model import Agent, NotifyTarget
from nod.notify.apprise_sender import check_apprise, masked
from nod.notify.vapid import Vapid
from nod.secrets import Vault, WrongSecretKey, key_file, read_key

_TIMEOUT_S = 10.0
_AT_ONCE = 20
_PORTS = {"http": 80, "https": 443}
_NO_AGENT = "/ws/agent/agt_0000000000000000"
_PROXY = "see docs/deploy.md for what the reverse proxy has to pass on"


async def public_url(
    settings: Settings, clock: Clock, in_use: bool
) -> tuple[list[Finding], float | None]:
    """Whether the public URL leads to Nod, and how far the clock there is from this one, in s."""
    url = settings.public_url
    try:
        async with httpx.AsyncClient(timeout=_TIMEOUT_S) as http:
            answer = await http.get(f"{url}/healthz")
    except (httpx.HTTPError, ssl.SSLError) as error:
        return [_no_answer(url, error, in_use)], None
    if answer.is_redirect:
        seen = f"{url} redirects to {answer.headers.get('location', 'nowhere')}"
        return [Finding("public URL", "failed", seen, "set NOD_PUBLIC_URL to where it leads")], None
    if answer.status_code != 200 or answer.text != "ok":
        seen = f"{url}/healthz answers {answer.status_code}, and not as Nod does"
        return [Finding("public URL", "failed", seen, _PROXY)], None
    return [scheme(url), await _sockets(url)], _offset_s(answer, clock)


def _no_answer(url: str, error: Exception, in_use: bool) -> Finding:
    seen = f"{url} does not answer: {_said(error)}"
    if in_use:
        return Finding("public URL", "failed", seen, "look at its name, the proxy and the firewall")
    return Finding("public URL", "warning", seen, "start the server: nod serve")


def _said(error: Exception) -> str:
    return str(error) or type(error).__name__


def scheme(url: str) -> Finding:
    """Whether a public URL that answers does so without being overheard."""
    parts = urlsplit(url)
    if parts.scheme == "https" or _is_loopback(parts.hostname or ""):
        return Finding("public URL", "ok", f"{url} answers as Nod does")
    seen = f"{url} answers, without encryption"
    do = "put TLS before it: passwords can be read on the way, and browsers allow no push"
    return Finding("public URL", "warning", seen, do)


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _offset_s(answer: httpx.Response, clock: Clock) -> float | None:
    try:
        there = from_datetime(parsedate_to_datetime(answer.headers["date"]))
    except (KeyError, ValueError, TypeError):
        return None
    # The header has whole seconds, cut off: in the mean it is half a second behind.
    return (there + SECOND // 2 - clock.now()) / SECOND


async def _sockets(url: str) -> Finding:
    """Open a WebSocket as an agent does, and close it before anything is said."""
    try:
        async with connect(
            f"ws{url.removeprefix('http')}{_NO_AGENT}", open_timeout=_TIMEOUT_S, close_timeout=1
        ):
            return Finding("sockets", "ok", "WebSockets get through")
    except (InvalidHandshake, OSError, TimeoutError) as error:
        return Finding("sockets", "failed", f"no WebSocket gets through: {error}", _PROXY)


async def webhooks(settings: Settings, agents: Sequence[Agent]) -> list[Finding]:
    """Whether the agents' endpoints can be reached: name, address, connection. Nothing is sent."""
    asked = [agent for agent in agents if agent.webhook_url is not None]
    guard = AddressGuard(settings.allow_webhook_nets)
    network = GuardedBackend(guard, _TIMEOUT_S)
    free = asyncio.Semaphore(_AT_ONCE)
    try:
        found = await asyncio.gather(*(_webhook(agent, network, free) for agent in asked))
    finally:
        network.close()
    return _gathered("webhooks", found, "can be reached")


async def _webhook(
    agent: Agent, network: GuardedBackend, free: asyncio.Semaphore
) -> Finding | None:
    """What is wrong with an agent's endpoint, None if nothing is."""
    parts = urlsplit(agent.webhook_url or "")
    port = parts.port or _PORTS[parts.scheme]
    where = f"{agent.name}: {parts.scheme}://{parts.hostname}:{port}"  # the path may be a secret
    if agent.webhook_disabled is not None:
        seen = f"{where} is disabled: {agent.webhook_disabled}"
        return Finding(
            "webhooks", "warning", seen, "mend it, then enable it in the agent's settings"
        )
    try:
        async with free, asyncio.timeout(_TIMEOUT_S):
            await (await network.connect_tcp(parts.hostname or "", port)).aclose()
    except Refused as error:
        return Finding("webhooks", "failed", f"{where}: {error.problem}")
    except (OSError, TimeoutError, httpcore.ConnectError, httpcore.ConnectTimeout) as error:
        seen = f"{where} cannot be reached: {_said(error)}"
        return Finding("webhooks", "failed", seen, "look at its name, its port and the firewall")
    return None


async def notifications(settings: Settings, stored: Stored) -> list[Finding]:
    """Whether people can be notified: the key for push services, and each target."""
    vault = _vault(settings)
    if vault is None:
        return []  # said of the key
    found = await asyncio.to_thread(
        lambda: [(each.kind, _target(each, vault, settings)) for each in stored.targets]
    )
    push, services = (
        [wrong for kind, wrong in found if (kind == "push") is is_push] for is_push in (True, False)
    )
    return [
        _push_key(settings, vault, stored.vapid),
        *_gathered("push", push, "are as they should be"),
        *_gathered("Apprise", services, "are as they should be"),
    ]


def _vault(settings: Settings) -> Vault | None:
    try:
        key = settings.secret_key
        return Vault(key.encode() if key else read_key(key_file(settings.data_dir)))
    except (InvalidInput, OSError):
        return None


def _push_key(settings: Settings, vault: Vault, sealed: str | None) -> Finding:
    if sealed is None:
        return Finding("push key", "ok", "will be made at the first start")
    try:
        Vapid(vault.open(sealed), settings.public_url)
    except (WrongSecretKey, ValueError, TypeError) as error:
        return Finding("push key", "failed", f"cannot be used: {error}", "see the secret key above")
    return Finding("push key", "ok", "present, for browsers' push services")


def _target(target: NotifyTarget, vault: Vault, settings: Settings) -> Finding | None:
    """What is wrong with a target, None if nothing is. An Apprise URL is a secret."""
    check = "push" if target.kind == "push" else "Apprise"
    try:
        address = vault.open(target.address).decode()
        if target.kind != "push":
            check_apprise(address, settings.limits)
    except WrongSecretKey:
        return Finding(check, "failed", f"{target.label} cannot be read", "enter it anew")
    except InvalidInput as error:
        seen = f"{target.label} ({masked(address)}): {error.problem}"
        return Finding(check, "failed", seen, "enter it anew")
    if target.enabled and target.failing_since is None:
        return None
    state = "fails" if target.enabled else "is disabled"
    why = target.error or "the reason is not known"
    return Finding(check, "warning", f"{target.label} {state}: {why}", "enter it anew")


def _gathered(check: str, found: Sequence[Finding | None], word: str) -> list[Finding]:
    """One line for those that nothing is wrong with, and one for each of the others."""
    if not found:
        return [Finding(check, "ok", "nobody has any")]
    wrong = [each for each in found if each is not None]
    good = len(found) - len(wrong)
    return [*([Finding(check, "ok", f"{good} of {len(found)} {word}")] if good else []), *wrong]
