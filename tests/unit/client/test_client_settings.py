"""Where the address and the credentials come from."""

import subprocess
import sys

import pytest

import nod
from nod import ConfigError
from nod.client.settings import resolve

GIVEN = {"NOD_AGENT_ID": "agt_1", "NOD_SECRET": "nod_secret"}


def test_the_environment_is_enough() -> None:
    settings = resolve(environ={**GIVEN, "NOD_API_URL": "https://nod.example/base/"})
    assert settings.url == "https://nod.example/base"
    assert settings.socket_url == "wss://nod.example/base/ws/agent/agt_1"
    assert settings.headers == {"X-Nod-Agent-Id": "agt_1", "X-Nod-Secret": "nod_secret"}


def test_without_an_address_it_is_the_local_server() -> None:
    settings = resolve(environ=GIVEN)
    assert settings.url == "http://localhost:8000"
    assert settings.socket_url == "ws://localhost:8000/ws/agent/agt_1"


def test_arguments_win_over_the_environment() -> None:
    settings = resolve("http://other:1", "agt_2", "nod_2", environ=GIVEN)
    assert (settings.url, settings.agent_id, settings.secret) == (
        "http://other:1",
        "agt_2",
        "nod_2",
    )


def test_the_secret_does_not_show_when_printed() -> None:
    assert "nod_secret" not in repr(resolve(environ=GIVEN))


@pytest.mark.parametrize("missing", ["NOD_AGENT_ID", "NOD_SECRET"])
def test_a_missing_credential_is_named(missing: str) -> None:
    environ = {name: value for name, value in GIVEN.items() if name != missing}
    with pytest.raises(ConfigError, match=f"{missing} is not set"):
        resolve(environ=environ)


@pytest.mark.parametrize("secret", ["nod_a b", "nod_ä", "nod_\x7f", "nod_a\nb"])
def test_a_secret_that_no_header_can_carry_is_refused_without_showing_it(secret: str) -> None:
    with pytest.raises(ConfigError) as refused:
        resolve(secret=secret, environ=GIVEN)
    assert secret not in str(refused.value)


@pytest.mark.parametrize(
    "url", ["localhost:8000", "ftp://x", "http://", "http://x:99999", "http://[::1", "//x"]
)
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="NOD_API_URL"):
        resolve(url, environ=GIVEN)


def test_every_public_name_exists() -> None:
    for name in nod.__all__:
        assert getattr(nod, name) is not None
    assert dir(nod) == nod.__all__
    with pytest.raises(AttributeError, match="nothing"):
        _ = nod.nothing


def test_importing_nod_and_its_client_loads_no_http_library() -> None:
    code = "import sys, nod; nod.Client; print('httpx' in sys.modules, 'websockets' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


def test_the_client_loads_nothing_of_the_server() -> None:
    code = (
        "import sys, nod\n"
        "[getattr(nod, name) for name in nod.__all__]\n"
        "import nod.worker.worker, nod.cli.main\n"
        "ours = ('nod.domain', 'nod.store', 'nod.engine', 'nod.api', 'litestar', 'msgspec')\n"
        "print([name for name in sys.modules if name.startswith(ours)])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
