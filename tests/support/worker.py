"""`nod work` as a process, and the tasks it is given."""

import signal
import subprocess
import threading

from nod.client.types import Run
from support.cli import Shell, soon


class RunningWorker:
    """`nod work`, with its log line by line."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process
        self.lines: list[str] = []
        self._more = threading.Condition()
        self._reading = threading.Thread(target=self._read)
        self._reading.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            with self._more:
                self.lines.append(line)
                self._more.notify_all()

    def logged(self, *words: str, times: int = 1) -> str:
        """The last of `times` lines with all of the words, once it is there."""

        def found() -> list[str]:
            return [line for line in self.lines if all(word in line for word in words)]

        with self._more:
            assert self._more.wait_for(lambda: len(found()) >= times, 30), "".join(self.lines)
            return found()[times - 1]

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.end()

    def end(self) -> int:
        status = self.process.wait(timeout=60)
        self._reading.join()
        return status

    def clean_up(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.end()
        for stream in (self.process.stdout, self.process.stderr):
            assert stream is not None
            stream.close()


def add_once(shell: Shell, name: str = "Standup", prompt: str = "Do it", seconds: float = 1) -> str:
    with shell.client() as client:
        return client.create_task(name, prompt, "once", run_at=soon(seconds))["id"]


def only_run(shell: Shell, task_id: str) -> Run:
    """The task's run, with its full deliverable."""
    with shell.client() as client:
        (run,) = client.runs(task_id)
        return client.run(run["id"])
