"""`nod work install`, `status`, `logs`, `uninstall`: the worker as a service of this user."""

import os
import platform
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from nod.cli.failure import Failure, Misuse
from nod.cli.service_files import Environment, Launchd, Service, Systemd
from nod.cli.work_options import options_of, work_options

_named = click.option(
    "--name", default="nod-work", show_default=True, help="What the service is called."
)
# Besides these a service gets what the operator names.
_PASSED_ON = ("NOD_API_URL", "NOD_AGENT_ID", "NOD_SECRET", "PATH", "LANG", "XDG_STATE_HOME")


@click.command()
@work_options
@_named
@click.option("--no-start", is_flag=True, help="Only write the files.")
@click.pass_context
def install(ctx: click.Context, /, name: str, no_start: bool, **given: Any) -> None:
    """Runs `nod work` with these options as a service: now, after a crash and after a restart.

    The agent's credentials are kept in a file that only this user can read. A service of that name
    that Nod has not written is left alone.
    """
    options_of(given)
    service = _service(name)
    given["folder"] = str(Path(given["folder"]).resolve())
    command = [_nod(), "work", *_arguments(ctx, given)]
    environment = _environment(given["environment"])
    if service.is_ours():
        for step in service.stop():
            _run(step, needed=False)
    service.write(command, environment)
    click.echo(f"Written: {service.file} and {service.secrets}")
    if no_start:
        return
    for step in service.start():
        _run(step)
    click.echo(f"Started. See how it is: nod work status{_suffix(name)}")
    if hint := service.hint:
        click.echo(hint)


@click.command()
@_named
def status(name: str) -> None:
    """Says how the service is."""
    _show(_installed(name).status())


@click.command()
@_named
@click.option("-f", "--follow", is_flag=True, help="Go on with what comes.")
def logs(name: str, follow: bool) -> None:
    """Shows what the service has logged."""
    _show(_installed(name).logs(follow=follow))


@click.command()
@_named
def uninstall(name: str) -> None:
    """Stops the service and removes its files."""
    service = _installed(name)
    for step in service.stop():
        _run(step, needed=False)
    service.remove()
    for step in service.after_removal():
        _run(step, needed=False)
    click.echo(f"Removed: {service.file} and {service.secrets}")


def _service(name: str) -> Service:
    if not name.replace("-", "").replace("_", "").isalnum() or name.startswith("-"):
        raise Misuse("--name is one word of letters, digits, - and _")
    return Launchd(name) if platform.system() == "Darwin" else Systemd(name)


def _installed(name: str) -> Service:
    service = _service(name)
    if not service.is_ours():
        raise Failure(f"no service {name!r} of Nod is installed: there is no {service.file}")
    return service


def _nod() -> str:
    """The very program that is running, by its whole path."""
    found = shutil.which("nod")
    if found is None:
        raise Failure("`nod` is not on the path, so a service could not find it either")
    return str(Path(found).absolute())


def _arguments(ctx: click.Context, given: dict[str, Any]) -> list[str]:
    """The options that were given, as `nod work` takes them."""
    arguments: list[str] = []
    for option in ctx.command.params:
        name = str(option.name)
        if not isinstance(option, click.Option) or name not in given:
            continue
        value = given[name]
        said = ctx.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE
        if said or name == "folder":
            for each in value if isinstance(value, tuple) else (value,):
                arguments += [option.opts[0], str(each)]
    return [*arguments, "--", *given["command"]] if given["command"] else arguments


def _environment(names: Sequence[str]) -> Environment:
    for needed in ("NOD_AGENT_ID", "NOD_SECRET"):
        if not os.environ.get(needed):
            raise Misuse(f"set {needed}: the service is to know it")
    return {name: os.environ[name] for name in (*_PASSED_ON, *names) if name in os.environ}


def _run(command: Sequence[str], *, needed: bool = True) -> None:
    """Runs a step. Fails with what can be done where it does not work."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    except FileNotFoundError as error:
        if needed:
            raise _missing(command) from error
        return
    if done.returncode != 0 and needed:
        said = done.stderr.strip() or done.stdout.strip() or f"exit status {done.returncode}"
        raise Failure(f"`{' '.join(command)}` did not work: {said}\nThe files are written.")


def _show(command: Sequence[str]) -> None:
    """Hands the terminal to a command, with its exit status."""
    try:
        done = subprocess.run(command, check=False)  # noqa: S603
    except FileNotFoundError as error:
        raise _missing(command) from error
    click.get_current_context().exit(done.returncode)


def _missing(command: Sequence[str]) -> Failure:
    return Failure(
        f"{command[0]} is not on this machine, so it has no services of users. Run `nod work` under"
        " what starts programs here (an init script, a supervisor, a container), or in a terminal"
    )


def _suffix(name: str) -> str:
    return "" if name == "nod-work" else f" --name {name}"
