"""What is in hand outlasts the worker that has it, and goes to exactly one other."""

import stat
from pathlib import Path

from nod.worker.journal import Journal

DUE = {"type": "task_due", "run_id": "run_1", "event_id": "evt_1"}
SAID = {"type": "user_message", "event_id": "evt_2"}


def test_an_event_is_kept_until_it_is_done(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path / "home")
    journal.keep(DUE)
    journal.mark("run_1", "done", {"result": "completed"})
    journal.keep(DUE)  # comes again: what is known of it stands
    (entry,) = journal.entries()
    assert (entry.event, entry.state) == (DUE, "done")
    assert entry.report == {"result": "completed"}
    journal.drop("run_1")
    assert list(journal.entries()) == []
    journal.mark("run_1", "started")  # of what is not kept nothing is noted
    assert journal.entry("run_1") is None


def test_files_are_for_their_user_alone(tmp_path: Path) -> None:
    Journal.open(tmp_path / "home").keep(DUE)
    (file,) = (tmp_path / "home").rglob("run_1.json")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_only_what_a_dead_worker_left_is_taken_over(tmp_path: Path) -> None:
    dead, living = Journal.open(tmp_path), Journal.open(tmp_path)
    dead.keep(DUE)
    living.keep(SAID)
    dead.close()  # lets go of the lock, as its process's end does
    heir, late = Journal.open(tmp_path), Journal.open(tmp_path)
    assert [each.event for each in heir.entries()] == [DUE]
    assert list(late.entries()) == []
    assert [each.event for each in living.entries()] == [SAID]


def test_nothing_is_left_of_a_worker_that_has_done_all(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path)
    journal.keep(DUE)
    journal.drop("run_1")
    journal.close()
    assert list(tmp_path.iterdir()) == []


def test_an_id_cannot_name_a_path(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path / "home")
    journal.keep({"type": "user_message", "event_id": "../../escaped"})
    assert [path.name for path in tmp_path.iterdir()] == ["home"]


def test_a_file_that_is_damaged_is_passed_over(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path)
    journal.keep(DUE)
    next(tmp_path.rglob("run_1.json")).write_text("{")
    assert list(journal.entries()) == []
