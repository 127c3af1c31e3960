"""What an agent does: a handler for each task, one for messages, one for answers."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeVar

from nod.client.run import Answer, BlockingRun, Run
from nod.client.types import Event


@dataclass(frozen=True, slots=True)
class Message:
    """What a person has written. `event` has the rest, such as pictures."""

    text: str
    sender_name: str
    conversation_id: str
    event: Event = field(repr=False)


TaskHandler = Callable[[Run], Awaitable[str | None]] | Callable[[BlockingRun], str | None]
MessageHandler = Callable[[Message], Awaitable[str | None]] | Callable[[Message], str | None]
AnswerHandler = Callable[[Answer], Awaitable[None]] | Callable[[Answer], None]

AnyTaskHandler = TypeVar("AnyTaskHandler", bound=TaskHandler)
AnyMessageHandler = TypeVar("AnyMessageHandler", bound=MessageHandler)
AnyAnswerHandler = TypeVar("AnyAnswerHandler", bound=AnswerHandler)


@dataclass
class Handlers:
    """The handlers, by the task's name. None is the name of the one for every other task."""

    tasks: dict[str | None, TaskHandler] = field(default_factory=dict)
    message: MessageHandler | None = None
    decision: AnswerHandler | None = None

    def of_task(self, name: str) -> TaskHandler | None:
        """The handler for a task of that name."""
        return self.tasks.get(name) or self.tasks.get(None)


class Decorators:
    """How handlers are given to an agent."""

    def __init__(self) -> None:
        self.handlers = Handlers()

    def task(self, name: str | None = None) -> Callable[[AnyTaskHandler], AnyTaskHandler]:
        """Calls the handler for each run of the task `name`; without a name, of every other task.

        It gets a Run if it is async, else a BlockingRun in a thread of its own. What it returns is
        the result: up to 1,000 characters as the summary, more as the output. What it raises fails
        the run with that message.
        """
        if name is not None and not isinstance(name, str):
            raise TypeError('write @agent.task("Name") or, for every task, @agent.task()')

        def give(handler: AnyTaskHandler) -> AnyTaskHandler:
            self.handlers.tasks[name] = handler
            return handler

        return give

    def on_message(self, handler: AnyMessageHandler) -> AnyMessageHandler:
        """Calls the handler with each Message, one after the other. What it returns is replied."""
        self.handlers.message = handler
        return handler

    def on_decision(self, handler: AnyAnswerHandler) -> AnyAnswerHandler:
        """Calls the handler with each Answer that no run of a handler waits for."""
        self.handlers.decision = handler
        return handler
