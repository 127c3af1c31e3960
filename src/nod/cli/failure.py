"""How a command fails: one line on standard error, and an exit status that says of what kind."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

import click

from nod.client.errors import ConfigError, ConnectError, NodError

REFUSED, USAGE, UNREACHABLE = 1, 2, 3


class Failure(click.ClickException):
    """Ends the command with a sentence: the server said no, or something is missing."""

    exit_code = REFUSED

    def show(self, file: IO[Any] | None = None) -> None:
        """Prints the sentence."""
        click.echo(f"nod: {self.format_message()}", file=file, err=file is None)


class Misuse(Failure):
    """The command was called in a way that cannot work."""

    exit_code = USAGE


class Unreachable(Failure):
    """The server could not be reached."""

    exit_code = UNREACHABLE


@contextmanager
def translated() -> Iterator[None]:
    """Turns the errors of Nod, and files that cannot be used, into failures."""
    try:
        yield
    except ConnectError as error:
        raise Unreachable(error.detail) from error
    except ConfigError as error:
        raise Misuse(error.detail) from error
    except NodError as error:
        raise Failure(error.detail) from error
    except _domain_errors() as error:
        raise Failure(str(error)) from error
    except OSError as error:
        if error.filename is None:
            raise
        raise Failure(f"cannot use {error.filename}: {error.strerror}") from error


def _domain_errors() -> tuple[type[Exception], ...]:
    """The errors of commands that are the server themselves, if one of them has been imported."""
    domain = sys.modules.get("nod.domain.errors")
    return (domain.NodError,) if domain else ()


def needs_server(error: ModuleNotFoundError) -> Failure:
    """What to say where a package of the server is missing. Re-raises what is a fault of ours."""
    return Failure(_missing(error, "the server's packages", "server"))


def needs_mcp(error: ModuleNotFoundError) -> Misuse:
    """The same for the packages of `nod mcp`."""
    return Misuse(_missing(error, "the packages of the Model Context Protocol", "mcp"))


def _missing(error: ModuleNotFoundError, what: str, extra: str) -> str:
    missing = error.name or ""
    if missing.partition(".")[0] in ("", "nod"):
        raise error
    return f"this needs {what} ({missing} is missing): pip install 'nod-tasks[{extra}]'"
