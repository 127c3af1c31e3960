"""What `nod work` has to know of a program: how to call it, and how to understand it.

A recipe is a value. The prompt always comes on standard input: never on the command line, where
other users of the machine see it and where a text that begins with `-` is an option.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from nod.client.types import Usage

DOING_CHARS = 200
Line = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Call:
    """One turn of a program. `session` is the one to go on with; None begins one.

    `name` is what a new session may be called, `extra` what the operator adds to the command line.
    `ask` says that the person is to be asked for what the program may not do by itself.
    """

    name: str
    session: str | None = None
    extra: Sequence[str] = ()
    ask: bool = False


@dataclass(slots=True)
class Heard:
    """What a program has said in one turn, so far.

    `doing` is one line for the person, `text` the answer, `error` why the program says it failed,
    `ended` whether it has said that the turn is over.
    """

    session: str | None = None
    doing: str = ""
    text: str = ""
    error: str = ""
    usage: Usage = field(default_factory=Usage)
    ended: bool = False
    _anew: bool = False

    def say(self, text: str) -> None:
        """Adds to the answer, or begins it anew when something else was done meanwhile."""
        self.text = text if self._anew else self.text + text
        self._anew = False
        if lines := [line for line in self.text.splitlines() if line.strip()]:
            self.doing = one_line(lines[-1])

    def step(self) -> None:
        """What is said from here on is another text, and only the last one is the answer."""
        self._anew = True

    def act(self, tool: str, about: object = "") -> None:
        """A tool is used: `about` is what on."""
        self.step()
        self.doing = one_line(f"{tool}: {about}" if about else tool)


@dataclass(frozen=True, slots=True)
class Recipe:
    """`argv` makes the command line of a turn, `hear` takes one line of output in.

    `named`: a session goes by the name it was given; else the program says what it is called.
    `usage_of_session`: the program counts from the session's beginning, not the turn's.
    `asks`: it can ask the person for permission (`--permissions ask`).
    """

    name: str
    program: str
    argv: Callable[[Call], list[str]]
    hear: Callable[[Heard, Line], None]
    named: bool = False
    usage_of_session: bool = False
    asks: bool = False


def one_line(text: str) -> str:
    """The text in one line of at most `DOING_CHARS` characters."""
    line = " ".join(text.split())
    return line if len(line) <= DOING_CHARS else line[: DOING_CHARS - 1] + "…"


def within(line: object, *path: str) -> Any:
    """What stands at a path of keys in a line; None where there is nothing."""
    for key in path:
        if not isinstance(line, Mapping):
            return None
        line = line.get(key)
    return line


def text_at(line: object, *path: str) -> str:
    """The text at a path of keys; empty where there is none."""
    found = within(line, *path)
    return found if isinstance(found, str) else ""


def list_at(line: object, *path: str) -> list[Any]:
    """The list at a path of keys; empty where there is none."""
    found = within(line, *path)
    return found if isinstance(found, list) else []


def count_at(line: object, *path: str) -> int:
    """The whole number at a path of keys; 0 where there is none."""
    found = within(line, *path)
    return found if isinstance(found, int) and not isinstance(found, bool) else 0


def about(parameters: object) -> str:
    """The most telling of a tool's parameters: the first that is a text."""
    if not isinstance(parameters, Mapping):
        return ""
    return next((each for each in parameters.values() if isinstance(each, str) and each), "")
