"""`nod work install` and its like, with stand-ins for what runs services."""

import os
import plistlib
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from support.cli import Shell, path_of

SHELL = Shell("http://127.0.0.1:1", "agt_1", "nod_secret with \"quotes\", $HOME and 'more'")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with stand-ins for systemctl and so on, which note how they are called."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("systemctl", "journalctl", "launchctl", "tail"):
        script = folder / name
        script.write_text(
            f'#!/bin/sh\necho "{name} $*" >> {tmp_path}/calls\ntest ! -e {tmp_path}/broken\n'
        )
        script.chmod(0o755)
    return tmp_path


def work(home: Path, *arguments: str, **more: str) -> "subprocess.CompletedProcess[str]":
    here = {"HOME": str(home), "XDG_CONFIG_HOME": str(home / ".config")}
    scripts = str(path_of("nod").parent)
    path = os.pathsep.join([str(home / "bin"), scripts, "/bin", "/usr/bin"])
    return SHELL.run("work", *arguments, **{**here, "PATH": path, **more})


def calls(home: Path) -> list[str]:
    return (home / "calls").read_text().splitlines()


def unit(home: Path, name: str = "nod-work") -> Path:
    return home / ".config" / "systemd" / "user" / f"{name}.service"


def secrets(home: Path, name: str = "nod-work") -> Path:
    return home / ".config" / "nod" / f"{name}.env"


def exec_line(home: Path) -> str:
    (line,) = [each for each in unit(home).read_text().splitlines() if each.startswith("ExecStart")]
    return line


def test_the_very_command_becomes_a_unit(home: Path) -> None:
    place = home / "my place"
    place.mkdir()
    options = ["--dir", str(place), "--env", "MY_KEY", "--concurrency", "2"]
    done = work(home, "install", *options, "--", "sh", "-c", 'echo "100% $HOME"', MY_KEY="k")
    assert done.returncode == 0, done.stderr
    assert exec_line(home) == (
        f'ExecStart="{path_of("nod")}" "work" "--dir" "{place}" "--env" "MY_KEY" "--concurrency"'
        r' "2" "--" "sh" "-c" "echo \"100%% $$HOME\""'
    )
    assert f"EnvironmentFile={secrets(home)}" in unit(home).read_text()
    assert calls(home) == [
        "systemctl --user daemon-reload",
        "systemctl --user enable --now nod-work.service",
    ]
    assert "enable-linger" in done.stdout


def test_secrets_are_in_a_file_that_only_the_user_can_read(home: Path) -> None:
    assert work(home, "install", "--no-start", "--", "true", OTHER="x").returncode == 0
    text = secrets(home).read_text()
    assert stat.S_IMODE(secrets(home).stat().st_mode) == 0o600
    assert 'NOD_AGENT_ID="agt_1"' in text
    assert r'NOD_SECRET="nod_secret with \"quotes\", $HOME' in text
    assert "OTHER" not in text
    assert "nod_secret" not in unit(home).read_text()
    assert not (home / "calls").exists()


def test_systemd_finds_nothing_wrong_with_the_unit(home: Path) -> None:
    verify = shutil.which("systemd-analyze")
    if verify is None:
        assert sys.platform != "linux" or not Path("/run/systemd/system").exists()
        return
    assert work(home, "install", "--no-start", "--", "sh", "-c", "echo 1; echo 2").returncode == 0
    done = subprocess.run(
        [verify, "--user", "verify", str(unit(home))], capture_output=True, text=True
    )
    assert str(unit(home)) not in done.stderr
    assert "nod-work.service" not in done.stderr


def test_installing_again_changes_it_and_another_name_is_another_service(home: Path) -> None:
    work(home, "install", "--", "true")
    work(home, "install", "--concurrency", "3", "--", "true")
    assert '"--concurrency" "3"' in exec_line(home)
    assert "systemctl --user disable --now nod-work.service" in calls(home)
    work(home, "install", "--name", "other", "--", "true")
    assert unit(home, "other").exists()
    assert '"3"' in exec_line(home)


@pytest.mark.parametrize("file", [unit, secrets])
def test_what_another_has_written_is_left_alone(home: Path, file: object) -> None:
    path: Path = file(home)  # type: ignore[operator]
    path.parent.mkdir(parents=True)
    path.write_text("mine\n")
    for arguments in (["install", "--", "true"], ["uninstall"]):
        assert work(home, *arguments).returncode == 1
    assert path.read_text() == "mine\n"
    assert not (home / "calls").exists()


def test_status_logs_and_removal(home: Path) -> None:
    assert work(home, "status").returncode == 1
    assert "no service 'nod-work' of Nod is installed" in work(home, "status").stderr
    work(home, "install", "--no-start", "--", "true")
    for arguments in (["status"], ["logs"], ["logs", "--follow"], ["uninstall"]):
        assert work(home, *arguments).returncode == 0
    assert calls(home) == [
        "systemctl --user status --no-pager nod-work.service",
        "journalctl --user --unit nod-work.service --no-pager",
        "journalctl --user --unit nod-work.service --follow",
        "systemctl --user disable --now nod-work.service",
        "systemctl --user daemon-reload",
    ]
    assert not unit(home).exists()
    assert not secrets(home).exists()


def test_where_there_is_no_systemd_it_says_what_to_do(home: Path) -> None:
    for name in ("systemctl", "journalctl"):
        (home / "bin" / name).unlink()
    path = os.pathsep.join([str(home / "bin"), str(path_of("nod").parent)])
    done = work(home, "install", "--", str(path_of("nod")), PATH=path)
    assert done.returncode == 1
    assert "systemctl is not on this machine" in done.stderr
    assert "Run `nod work` under what starts programs here" in done.stderr


def test_a_step_that_does_not_work_is_said(home: Path) -> None:
    (home / "broken").touch()
    done = work(home, "install", "--", "true")
    assert done.returncode == 1
    assert "`systemctl --user daemon-reload` did not work" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "more", "said"),
    [
        (["install"], {}, "what is to be run?"),
        (["install", "--name", "../x", "--", "true"], {}, "--name is one word"),
        (["install", "--", "nothing-of-the-kind"], {}, "there is no command"),
        (["install", "--", "true"], {"NOD_SECRET": ""}, "set NOD_SECRET"),
    ],
)
def test_what_cannot_work_is_not_installed(
    arguments: list[str], more: dict[str, str], said: str, home: Path
) -> None:
    done = work(home, *arguments, **more)
    assert done.returncode == 2
    assert said in done.stderr
    assert not unit(home).exists()


def test_a_command_may_have_the_name_of_a_command_of_the_service(home: Path) -> None:
    assert "there is no command 'status'" in work(home, "--", "status").stderr


def test_on_a_mac_it_is_an_agent_of_launchd(home: Path) -> None:
    mac = home / "mac"
    mac.mkdir()
    (mac / "sitecustomize.py").write_text("import platform\nplatform.system = lambda: 'Darwin'\n")
    done = work(home, "install", "--", "sh", "-c", "echo <1>", PYTHONPATH=str(mac))
    assert done.returncode == 0, done.stderr
    file = home / "Library" / "LaunchAgents" / "nod.nod-work.plist"
    agent = plistlib.loads(file.read_bytes())
    command = ["work", "--dir", agent["WorkingDirectory"], "--", "sh", "-c", "echo <1>"]
    assert agent["ProgramArguments"][5:] == command
    assert calls(home) == [f"launchctl load -w {file}"]
    # What launchd would call reads the credentials as they were.
    shown = subprocess.run(
        [*agent["ProgramArguments"][:4], "/usr/bin/env"], capture_output=True, text=True, env={}
    )
    assert f"NOD_SECRET={SHELL.secret}" in shown.stdout.splitlines()
    assert work(home, "status", PYTHONPATH=str(mac)).returncode == 0
    assert work(home, "uninstall", PYTHONPATH=str(mac)).returncode == 0
    assert not file.exists()
