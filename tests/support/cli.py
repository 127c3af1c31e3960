"""The installed commands as an agent's shell calls them."""

import asyncio
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

import httpx

from nod import Client
from support.seen import seen
from support.server import RunningServer

T = TypeVar("T")

# Where `nod work` keeps what it has in hand: for tests not in the home of whoever runs them.
_STATE = Path(tempfile.gettempdir()) / f"nod-tests-{os.getuid()}"


def soon(seconds: float = 1) -> str:
    """A `run_at` in the near future; the wire has whole seconds."""
    return (datetime.now(UTC) + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


@dataclass
class Shell:
    """A shell with one agent's credentials in its environment."""

    url: str
    agent_id: str
    secret: str

    def environ(self, more: Mapping[str, str]) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("NOD_")}
        ours = {"NOD_API_URL": self.url, "NOD_AGENT_ID": self.agent_id, "NOD_SECRET": self.secret}
        return {**kept, "XDG_STATE_HOME": str(_STATE), **ours, **more}

    def run(
        self, *arguments: str, stdin: str = "", command: str = "nod", **more: str
    ) -> subprocess.CompletedProcess[str]:
        """The command's end. `more` goes into its environment."""
        return subprocess.run(
            [str(path_of(command)), *arguments],
            input=stdin,
            env=self.environ(more),
            capture_output=True,
            text=True,
            timeout=60,
        )

    def start(self, *arguments: str, **more: str) -> "subprocess.Popen[str]":
        """`nod` with these arguments, running."""
        return subprocess.Popen(
            [str(path_of("nod")), *arguments],
            env=self.environ(more),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def client(self) -> Client:
        return Client(self.url, self.agent_id, self.secret)


def path_of(command: str) -> Path:
    return Path(sys.executable).with_name(command)


def new_shell(server: RunningServer, name: str = "Ada") -> Shell:
    """A new agent of the server, and a shell for it."""
    made = asyncio.run(server.add_agent(name))
    return Shell(server.url, made.agent.id, made.secret)


EMAIL, PASSWORD = "ann@example.org", "correct horse battery"


def add_account(server: RunningServer, email: str = EMAIL, password: str = PASSWORD) -> None:
    """An account. To the first one all agents that are added later belong."""
    subprocess.run(
        [str(path_of("nod")), "users", "add", email, "--password-stdin"],
        input=password,
        env={**os.environ, "NOD_DATA_DIR": str(server.data_dir)},
        text=True,
        check=True,
        capture_output=True,
    )


@dataclass
class Person:
    """The owner of all agents of a server, using the API."""

    http: httpx.Client

    @classmethod
    def log_in(cls, server: RunningServer) -> "Person":
        login = {"email": EMAIL, "password": PASSWORD}
        answer = httpx.post(f"{server.url}/api/auth/login", json=login).raise_for_status().json()
        headers = {"Authorization": f"Bearer {answer['token']}"}
        return cls(httpx.Client(base_url=server.url, headers=headers))

    def answer(self, decision_id: str, status: str, **fields: object) -> None:
        body = {"status": status, **fields}
        self.http.post(f"/api/decisions/{decision_id}/resolve", json=body).raise_for_status()

    def next_question(self, agent_id: str) -> str:
        """The decision an agent asks for, once it is there."""

        def look() -> str | None:
            waiting = self.http.get("/api/decisions", params={"status": "pending"}).json()
            return next((each["id"] for each in waiting if each["agent_id"] == agent_id), None)

        return seen(look, f"a question of {agent_id}")

    def agree(self, agent_id: str) -> None:
        """Answers whatever an agent asks now: yes, and of a choice the first."""
        for each in self.http.get("/api/decisions", params={"status": "pending"}).json():
            if each["agent_id"] != agent_id:
                continue
            if each["kind"] == "choice":
                self.answer(each["id"], "responded", note=each["options"][0])
            else:
                self.answer(each["id"], "approved")

    def call_trigger(self, trigger_id: str, payload: object) -> None:
        self.http.post(f"/api/webhooks/{trigger_id}", json=payload).raise_for_status()
