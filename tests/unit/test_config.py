"""What an operator writes becomes settings, or a sentence that says what is wrong with it."""

from dataclasses import fields
from ipaddress import ip_network
from pathlib import Path

import pytest

from nod.config import limits, load, local_url
from nod.domain.errors import InvalidInput
from nod.domain.limits import Limits

HOME = {"HOME": "/home/ann"}


def test_with_nothing_given_it_listens_on_this_machine_and_keeps_its_files_in_the_users_home() -> (
    None
):
    settings = load(HOME, {}, platform="linux")
    assert (settings.host, settings.port) == ("127.0.0.1", 8000)
    assert settings.public_url == "http://127.0.0.1:8000"
    assert settings.data_dir == Path("/home/ann/.local/share/nod")
    assert settings.database_url == "sqlite:////home/ann/.local/share/nod/nod.db"
    assert settings.database_path == Path("/home/ann/.local/share/nod/nod.db")
    assert settings.secret_key is None
    assert settings.metrics_token is None
    assert settings.allow_webhook_nets == ()
    assert settings.log_json is False
    assert settings.limits == Limits()


@pytest.mark.parametrize(
    ("platform", "environ", "expected"),
    [
        ("linux", {"XDG_DATA_HOME": "/data"}, "/data/nod"),
        ("linux", {"XDG_DATA_HOME": "relative"}, "/home/ann/.local/share/nod"),
        ("darwin", {}, "/home/ann/Library/Application Support/Nod"),
        ("win32", {"LOCALAPPDATA": "/local"}, "/local/Nod"),
        ("win32", {}, "/home/ann/AppData/Local/Nod"),
    ],
)
def test_files_are_kept_where_the_platform_keeps_them(
    platform: str, environ: dict[str, str], expected: str
) -> None:
    assert load({**HOME, **environ}, {}, platform=platform).data_dir == Path(expected)


def test_a_flag_wins_over_the_environment_and_the_environment_over_the_default() -> None:
    environ = {**HOME, "NOD_PORT": "9000", "NOD_HOST": "0.0.0.0"}  # noqa: S104 - a setting
    settings = load(environ, {"port": 9001, "host": None})
    assert (settings.host, settings.port) == ("0.0.0.0", 9001)  # noqa: S104 - a setting
    assert settings.public_url == "http://localhost:9001"


def test_an_empty_variable_counts_as_not_set() -> None:
    assert load({**HOME, "NOD_PORT": " "}, {}).port == 8000


def test_a_public_url_and_a_database_are_taken_as_given() -> None:
    environ = {
        **HOME,
        "NOD_PUBLIC_URL": "https://nod.example.org/",
        "NOD_DATABASE_URL": "sqlite:////srv/nod.db",
    }
    settings = load(environ, {})
    assert settings.public_url == "https://nod.example.org"
    assert settings.database_path == Path("/srv/nod.db")


def test_a_postgresql_server_is_named_without_its_password() -> None:
    url = "postgresql://nod:hunter2@db.example.org:5433/nod?sslmode=require"
    settings = load({**HOME, "NOD_DATABASE_URL": url}, {})
    assert settings.is_postgres
    assert settings.database_url == url
    assert settings.database_shown == "PostgreSQL, nod on db.example.org:5433"
    assert "hunter2" not in repr(settings)


POSTGRES = {**HOME, "NOD_DATABASE_URL": "postgresql://nod@db.example.org/nod"}


@pytest.mark.parametrize(
    "url", ["nats://nats.example.org", "tls://nod:hunter2@a.example:4222,tls://b.example:4222"]
)
def test_nodes_on_one_postgresql_may_have_a_bus_of_their_own(url: str) -> None:
    settings = load({**POSTGRES, "NOD_BUS_URL": url}, {})
    assert settings.bus_url == url
    assert "hunter2" not in repr(settings)
    assert load(POSTGRES, {}).bus_url is None


def test_a_file_has_one_server_which_needs_no_bus() -> None:
    with pytest.raises(InvalidInput, match="NOD_BUS_URL is for several servers on one PostgreSQL"):
        load({**HOME, "NOD_BUS_URL": "nats://nats.example.org"}, {})


def test_several_servers_on_one_postgresql_may_share_the_work() -> None:
    assert load(POSTGRES, {}).role == "all"
    assert load(POSTGRES, {"role": "engine"}).role == "engine"
    with pytest.raises(InvalidInput, match="--role must be one of all, api, engine; got 'both'"):
        load(POSTGRES, {"role": "both"})
    with pytest.raises(InvalidInput, match="NOD_ROLE is for several servers on one PostgreSQL"):
        load({**HOME, "NOD_ROLE": "api"}, {})


@pytest.mark.parametrize("url", ["redis://a:hunter2@b", "nats://", "nats://a:hunter2@b:x", "nats"])
def test_an_address_that_is_no_bus_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(InvalidInput, match="must be the address of a NATS server") as refused:
        load({**POSTGRES, "NOD_BUS_URL": url}, {})
    assert "hunter2" not in str(refused.value)


def test_a_file_is_named_by_its_path() -> None:
    settings = load(HOME, {"data_dir": "/srv/nod"})
    assert not settings.is_postgres
    assert settings.database_shown == "/srv/nod/nod.db"


def test_the_database_follows_the_data_directory() -> None:
    settings = load(HOME, {"data_dir": "/srv/nod"})
    assert settings.database_path == Path("/srv/nod/nod.db")


def test_a_relative_data_directory_does_not_move_with_the_working_directory() -> None:
    assert load({**HOME, "NOD_DATA_DIR": "here"}, {}).data_dir == Path.cwd() / "here"


def test_networks_and_switches_are_read() -> None:
    environ = {**HOME, "NOD_ALLOW_WEBHOOK_NETS": "10.0.0.0/8, fd00::/8,", "NOD_LOG_JSON": "yes"}
    settings = load(environ, {})
    assert settings.allow_webhook_nets == (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))
    assert settings.log_json is True


def test_an_empty_list_of_networks_allows_none() -> None:
    assert load({**HOME, "NOD_ALLOW_WEBHOOK_NETS": " , "}, {}).allow_webhook_nets == ()


def test_secrets_stay_out_of_what_may_be_logged() -> None:
    settings = load({**HOME, "NOD_SECRET_KEY": "k" * 40, "NOD_METRICS_TOKEN": "m" * 40}, {})
    assert (settings.secret_key, settings.metrics_token) == ("k" * 40, "m" * 40)
    assert "kkkk" not in repr(settings)
    assert "mmmm" not in repr(settings)


def test_an_ipv6_address_is_written_in_brackets() -> None:
    assert local_url("::1", 8000) == "http://[::1]:8000"


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({"NOD_PORT": "http"}, "NOD_PORT must be a whole number"),
        ({"NOD_PORT": "65536"}, "between 0 and 65535"),
        ({"NOD_PORT": "tcp://10.0.0.7:8000"}, "enableServiceLinks"),
        ({"NOD_LOG_JSON": "maybe"}, "NOD_LOG_JSON must be 1 or 0"),
        ({"NOD_PUBLIC_URL": "nod.example.org"}, "https://nod.example.org"),
        ({"NOD_PUBLIC_URL": "https://nod.example.org/?a=b"}, "NOD_PUBLIC_URL must be like"),
        ({"NOD_PUBLIC_URL": "http://[::1"}, "NOD_PUBLIC_URL must be like"),
        ({"NOD_ALLOW_WEBHOOK_NETS": "10.0.0.1/8"}, "comma-separated list of networks"),
        ({"NOD_ALLOW_WEBHOOK_NETS": "10.0.0.0/33"}, "comma-separated list of networks"),
        ({"NOD_ALLOW_WEBHOOK_NETS": "127.0.0.0/8;::1"}, "comma-separated list of networks"),
        ({"NOD_ALLOW_WEBHOOK_NETS": "lan"}, "comma-separated list of networks"),
        ({"NOD_DATABASE_URL": "sqlite:///"}, "must name a file"),
        ({"NOD_DATABASE_URL": "sqlite:///:memory:"}, "must name a file"),
        ({"NOD_LIMIT_BODY_BYTE": "1"}, "did you mean NOD_LIMIT_BODY_BYTES"),
        ({"NOD_LIMIT_XYZZY_PLUGH": "1"}, "docs/limits.md"),
        ({"NOD_LIMIT_BODY_BYTES": "1 MiB"}, "NOD_LIMIT_BODY_BYTES must be a whole number"),
        ({"NOD_LIMIT_BODY_BYTES": "0"}, "must be between 1 and"),
        ({"NOD_LIMIT_TIMEOUT_S": "99999999999"}, "must be between 1 and"),
    ],
)
def test_what_cannot_be_used_is_named_with_what_to_write_instead(
    environ: dict[str, str], words: str
) -> None:
    with pytest.raises(InvalidInput, match=words.replace("?", r"\?")):
        load({**HOME, **environ}, {})


def test_a_flag_that_cannot_be_used_is_named_as_a_flag() -> None:
    with pytest.raises(InvalidInput, match="--port must be"):
        load(HOME, {"port": "x"})


def test_the_password_in_a_database_url_is_not_repeated_in_the_error() -> None:
    with pytest.raises(InvalidInput) as raised:
        load({**HOME, "NOD_DATABASE_URL": "mysql://nod:hunter2@db/nod"}, {})
    assert "hunter2" not in raised.value.detail
    assert "sqlite:///" in raised.value.detail


def test_every_limit_can_be_set_by_its_variable() -> None:
    for each in fields(Limits):
        changed = limits({f"NOD_LIMIT_{each.name.upper()}": "7"})
        assert getattr(changed, each.name) == 7


def test_a_count_may_be_none_at_all_and_an_empty_limit_is_the_default() -> None:
    changed = limits({"NOD_LIMIT_TASKS_PER_AGENT": "0", "NOD_LIMIT_BODY_BYTES": ""})
    assert (changed.tasks_per_agent, changed.body_bytes) == (0, Limits().body_bytes)
