import stat
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from nod.domain.errors import InvalidInput
from nod.secrets import Vault, WrongSecretKey, load_secret_key

KEY = b"k" * 32


def test_a_configured_key_is_used_and_no_file_is_made(tmp_path: Path) -> None:
    assert load_secret_key("x" * 32, tmp_path) == b"x" * 32
    assert list(tmp_path.iterdir()) == []


def test_a_short_configured_key_is_refused_with_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"NOD_SECRET_KEY .* at least 32 .*token_urlsafe"):
        load_secret_key("short", tmp_path)


@pytest.mark.parametrize("configured", [None, ""])
def test_the_first_start_makes_a_key_that_later_starts_read(
    tmp_path: Path, configured: str | None
) -> None:
    data_dir = tmp_path / "new" / "data"

    first = load_secret_key(configured, data_dir)

    assert len(first) >= 32
    assert load_secret_key(configured, data_dir) == first
    assert [path.name for path in data_dir.iterdir()] == ["secret.key"]


def test_only_its_user_may_read_the_key_file(tmp_path: Path) -> None:
    load_secret_key(None, tmp_path / "data")

    assert stat.S_IMODE((tmp_path / "data" / "secret.key").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700


def test_two_servers_have_different_keys(tmp_path: Path) -> None:
    assert load_secret_key(None, tmp_path / "a") != load_secret_key(None, tmp_path / "b")


def test_a_damaged_key_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "secret.key").write_text("")

    with pytest.raises(InvalidInput, match=r"secret\.key must have at least 32 characters"):
        load_secret_key(None, tmp_path)


def _load(path: Path) -> bytes:
    return load_secret_key(None, path)


def test_processes_that_start_at_the_same_moment_agree_on_one_key(tmp_path: Path) -> None:
    with ProcessPoolExecutor(4, mp_context=get_context("spawn")) as pool:
        for attempt in range(25):
            keys = set(pool.map(_load, [tmp_path / str(attempt)] * 4))
            assert len(keys) == 1

    assert not list(tmp_path.glob("*/.secret.key.*"))


@pytest.mark.parametrize("plain", ["whsec_ü", b"\x00\xff", b"", ""])
def test_what_was_sealed_can_be_opened_again(plain: str | bytes) -> None:
    sealed = Vault(KEY).seal(plain)

    assert Vault(KEY).open(sealed) == (plain.encode() if isinstance(plain, str) else plain)


def test_sealed_text_does_not_show_what_is_in_it() -> None:
    vault = Vault(KEY)

    assert "agent-secret" not in vault.seal("agent-secret")
    assert vault.seal("agent-secret") != vault.seal("agent-secret")


def test_another_key_gives_an_error_that_says_what_to_do() -> None:
    with pytest.raises(WrongSecretKey, match="put the former key"):
        Vault(b"o" * 32).open(Vault(KEY).seal("x"))


@pytest.mark.parametrize("sealed", ["", "plain text", "gAAAAA", "ü"])
def test_text_that_was_never_sealed_gives_the_same_error(sealed: str) -> None:
    with pytest.raises(WrongSecretKey):
        Vault(KEY).open(sealed)


def test_keys_of_different_purposes_differ_and_stay_the_same_over_restarts() -> None:
    assert len(Vault(KEY).derive("tokens")) == 32
    assert Vault(KEY).derive("tokens") == Vault(KEY).derive("tokens")
    assert Vault(KEY).derive("tokens") != Vault(KEY).derive("cookies")
    assert Vault(KEY).derive("tokens") != Vault(b"o" * 32).derive("tokens")
