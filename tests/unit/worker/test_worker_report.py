"""From what a command did to what the server is told."""

from hypothesis import given
from hypothesis import strategies as st

from nod.worker.options import OUTPUT_BYTES
from nod.worker.report import SUMMARY_CHARS, Finished, Report, not_run, report_of


def success(stdout: str, output_was_set: bool = False) -> Report:
    return report_of(Finished(0, stdout, "noise", output_was_set))


def test_a_short_output_is_the_summary() -> None:
    assert success("All good.\n") == Report("completed", "All good.", None)
    assert success("") == Report("completed", "", None)


def test_a_long_output_is_whole_and_its_first_lines_are_the_summary() -> None:
    text = "\n".join(f"line {number}" for number in range(500))
    report = success(text)
    assert report.output == text
    assert report.summary.startswith("line 0\nline 1\n")
    assert report.summary.endswith("the whole text is this run's output)")
    body = report.summary.split("\n\n…")[0]
    assert body.splitlines()[-1] in text.splitlines()


def test_an_output_the_command_has_set_is_left_alone() -> None:
    report = success("x" * 5_000, output_was_set=True)
    assert report.output is None
    assert report.summary.endswith("… (more on standard output)")
    assert success("Done.", output_was_set=True) == Report("completed", "Done.", None)


def test_an_output_beyond_the_limit_says_what_is_missing() -> None:
    output = success("ü" * OUTPUT_BYTES).output
    assert output is not None
    assert len(output.encode()) <= OUTPUT_BYTES
    assert "bytes left out here" in output


def test_a_failure_shows_the_end_of_standard_error() -> None:
    report = report_of(Finished(2, "", "Traceback\nValueError: no\n", False))
    assert report == Report(
        "failed", "the command ended with exit status 2\n\nTraceback\nValueError: no", None
    )
    assert report_of(Finished(1, "", "", False)).summary == "the command ended with exit status 1"


def test_a_failure_keeps_all_of_both_streams() -> None:
    errors = "\n".join(f"error {number}" for number in range(500))
    report = report_of(Finished(1, "half a result", errors, False))
    assert report.summary.endswith("error 499")
    assert "all of it is this run's output" in report.summary
    assert report.output is not None
    assert errors in report.output
    assert "half a result" in report.output


def test_a_failure_after_the_command_set_its_output_leaves_it_alone() -> None:
    report = report_of(Finished(1, "x", "y" * 5_000, True))
    assert report.output is None
    assert "run's output" not in report.summary


def test_who_ended_a_command_is_said() -> None:
    assert report_of(Finished(-9, "", "", False)).summary == "the command was ended by SIGKILL"
    assert report_of(Finished(-200, "", "", False)).summary == "the command was ended by signal 200"
    stopped = report_of(Finished(0, "", "", False, "the command was stopped after 5 s (--timeout)"))
    assert stopped == Report("failed", "the command was stopped after 5 s (--timeout)", None)
    assert not_run("x" * 5_000) == Report("failed", "x" * SUMMARY_CHARS, None)


@given(
    st.integers(-70, 255),
    st.text(max_size=3_000),
    st.text(max_size=3_000),
    st.booleans(),
    st.one_of(st.none(), st.text(min_size=1, max_size=200)),
)
def test_every_report_is_one_the_server_takes(
    status: int, stdout: str, stderr: str, output_was_set: bool, ended_by: str | None
) -> None:
    report = report_of(Finished(status, stdout, stderr, output_was_set, ended_by))
    assert len(report.summary) <= SUMMARY_CHARS
    assert (report.result == "completed") == (status == 0 and ended_by is None)
    assert report.output is None or len(report.output.encode()) <= OUTPUT_BYTES
    assert not (output_was_set and report.output is not None)
