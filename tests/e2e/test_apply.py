"""Tasks declared in a file: what changes is said first, and applying twice changes nothing."""

import json
from pathlib import Path
from textwrap import dedent

import pytest

from support.cli import Shell, new_shell
from support.server import RunningServer

TWO = """
    [[tasks]]
    name = "Disk report"
    when = "every weekday at 7"
    timezone = "Europe/Berlin"
    prompt_file = "prompts/disk.md"
    useful_until = "PT2H"
    starts_at = 2030-01-01T01:00:00+01:00
    budget = {runs = 10, cost_usd = 2}

    [[tasks]]
    name = "Deploys"
    schedule = "event"
    prompt = "Say what was deployed."
    verify = "github"
    verify_secret_env = "GITHUB_SECRET"
"""


@pytest.fixture
def shell(server: RunningServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "prompts").mkdir()
    (tmp_path / "prompts/disk.md").write_text("How full is the disk?\n")
    return new_shell(server)


def _write(text: str, name: str = "nod.toml") -> None:
    Path(name).write_text(dedent(text))


def _apply(shell: Shell, *arguments: str, code: int = 0) -> str:
    done = shell.run("tasks", "apply", *arguments, GITHUB_SECRET="s3cret-of-github")
    assert done.returncode == code, done.stderr
    return done.stdout if code == 0 else done.stderr


def _names(shell: Shell) -> list[str]:
    with shell.client() as client:
        return [task["name"] for task in client.tasks()]


def test_what_is_declared_is_made_and_applying_it_again_changes_nothing(shell: Shell) -> None:
    _write(TWO.replace('verify = "github"', "").replace("verify_secret_env", "# "))
    dry = _apply(shell, "--dry-run")
    assert "+ Disk report\n" in dry
    assert "Europe/Berlin" in dry
    assert dry.endswith("Nothing was changed.\n")
    assert _names(shell) == []

    assert _apply(shell).endswith("Done.\n")
    report, deploys = json.loads(shell.run("tasks", "list", "--json").stdout)
    assert (report["schedule"], report["prompt"]) == ("0 7 * * 1-5", "How full is the disk?\n")
    assert report["starts_at"] == "2030-01-01T00:00:00Z"
    assert deploys["schedule"] == "event"
    assert _apply(shell) == "= 2 unchanged\n"


def test_a_change_is_said_in_words_and_what_is_not_named_stays(shell: Shell) -> None:
    _write(TWO)
    _apply(shell)
    with shell.client() as client:
        report = next(task for task in client.tasks() if task["name"] == "Disk report")
        client.update_task(report["id"], timeout_s=77)
        client.pause_task(report["id"], "holidays")
    Path("prompts/disk.md").write_text("How full is it?\nAnd why?\n")
    _write(TWO.replace("at 7", "at 8").replace("PT2H", "30m").replace("runs = 10", "runs = 9"))
    said = _apply(shell)
    assert "~ Disk report\n" in said
    assert "useful_until: 2h → 30m" in said
    assert "budget: 10 runs, $2.00 a day → 9 runs, $2.00 a day" in said
    assert "when: " in said
    assert "07:00" in said
    assert "08:00" in said
    assert "prompt: 2 lines added, 1 removed" in said
    assert "verify_secret: set" in said
    assert "s3cret" not in said
    after = json.loads(shell.run("tasks", "show", "Disk report", "--json").stdout)
    assert (after["schedule"], after["timeout_s"]) == ("0 8 * * 1-5", 77)
    assert after["enabled"] is False


def test_only_with_prune_is_removed_what_the_file_does_not_have(shell: Shell) -> None:
    _write(TWO)
    _apply(shell)
    shell.run("tasks", "add", "By hand", "--prompt", "Do it.", "--schedule", "0 9 * * *")
    assert "By hand" not in _apply(shell)
    dry = _apply(shell, "--prune", "--dry-run")
    assert "- By hand\n    the agent made it; its runs are kept\n" in dry
    assert "By hand" in _names(shell)
    _apply(shell, "--prune")
    assert sorted(_names(shell)) == ["Deploys", "Disk report"]


def test_a_program_gets_it_as_json(shell: Shell) -> None:
    _write('[[tasks]]\nname = "One"\nschedule = "0 9 * * *"\nprompt = "Do it."\nenabled = false\n')
    (change,) = json.loads(_apply(shell, "--json"))
    assert (change["change"], change["name"]) == ("add", "One")
    _write('[[tasks]]\nname = "One"\nenabled = true\nidempotent = true\nprompt = "Do all."\n')
    (change,) = json.loads(_apply(shell, "--json"))
    assert change["words"] == [
        "fires again",
        "idempotent: false → true",
        "prompt: “Do it.” → “Do all.”",
    ]


def test_yaml_does_as_well(shell: Shell) -> None:
    _write("tasks:\n- {name: One, prompt: Do it., when: every day at noon}\n", "nod.yaml")
    assert "+ One" in _apply(shell)
    _write("tasks: []", "other.yml")
    assert _apply(shell, "other.yml") == "The file has no tasks.\n"


@pytest.mark.parametrize(
    ("file", "told"),
    [
        ("", "nod.toml has to consist of tasks"),
        ("[[task]]\n", "nod.toml has to consist of tasks"),
        ('[[tasks]]\nprompt = "x"\n', "task 1 has no name"),
        ('[[tasks]]\nname = "A"\n[[tasks]]\nname = " A "\n', "two tasks named 'A'"),
        ('[[tasks]]\nname = "A"\nshedule = "x"\n', "no field 'shedule'; did you mean 'schedule'?"),
        ('[[tasks]]\nname = "A"\nxyz = 1\n', "A: there is no field 'xyz'\n"),
        ('[[tasks]]\nname = "A"\nprompt_file = "none.md"\n', "cannot read its prompt from none.md"),
        ('[[tasks]]\nname = "A"\nverify_secret_env = "NONE"\n', "NONE, which is not set"),
        ('[[tasks]]\nname = "A"\nends_at = 2030-01-01T09:00:00\n', "ends_at needs a zone"),
        ('[[tasks]]\nname = "A"\nprompt = ["x"]\n', "prompt must be text, a number"),
        ("tasks = [", "nod.toml: "),
    ],
)
def test_a_file_that_is_wrong_is_told_so_before_anything_is_done(
    shell: Shell, file: str, told: str
) -> None:
    _write(file)
    assert told in _apply(shell, code=2)


@pytest.mark.parametrize(
    ("task", "told"),
    [
        ('when = "every blue moon"\nprompt = "x"', "A: "),
        ('when = "tomorrow at 9"\nprompt = "x"', "another moment each time the file is applied"),
        ('when = "every day at 9"\nschedule = "0 9 * * *"\nprompt = "x"', "not both"),
        ('schedule = "61 9 * * *"\nprompt = "x"', "minute"),
        ('description = "new"', "A: a new task needs a schedule and a prompt"),
    ],
)
def test_a_schedule_that_cannot_be_is_told_before_anything_is_done(
    shell: Shell, task: str, told: str
) -> None:
    first = '[[tasks]]\nname = "First"\nschedule = "event"\nprompt = "x"\n'
    _write(f'{first}[[tasks]]\nname = "A"\n{task}\n')
    assert told in _apply(shell, code=1)
    assert _names(shell) == []


def test_what_the_server_refuses_halfway_says_how_far_it_got(shell: Shell) -> None:
    first = '[[tasks]]\nname = "A"\nschedule = "event"\nprompt = "x"\n'
    _write(first + '[[tasks]]\nname = "B"\nschedule = "event"\nprompt = "x"\ntimeout_s = -1\n')
    told = _apply(shell, code=1)
    assert "B: timeout_s" in told
    assert "1 of 2 changes were made" in told
    assert _names(shell) == ["A"]


def test_tasks_of_one_name_and_files_of_both_kinds_are_not_guessed_at(shell: Shell) -> None:
    assert "no nod.toml or nod.yaml here" in _apply(shell, code=2)
    for _ in range(2):
        shell.run("tasks", "add", "A", "--prompt", "x", "--schedule", "event")
    _write('[[tasks]]\nname = "A"\n')
    assert "several tasks named 'A'" in _apply(shell, code=1)
    _write("tasks: []", "nod.yaml")
    assert "nod.toml and nod.yaml here" in _apply(shell, code=2)
    assert "cannot read none.toml" in _apply(shell, "none.toml", code=2)
    _write("tasks: [", "bad.yaml")
    assert "bad.yaml: " in _apply(shell, "bad.yaml", code=2)
