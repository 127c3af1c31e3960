"""`nod-task-output`: the deliverable of the run this command runs in."""

import click

from nod.cli.failure import translated
from nod.cli.output import as_json, show_json
from nod.cli.reading import mark_output_set, needed_run, stdin_or_file
from nod.client.client import Client
from nod.version import __version__


@click.command("nod-task-output", context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("file", default="-")
@click.option("--run", "run_id", envvar="NOD_RUN_ID", help="Default: NOD_RUN_ID.")
@as_json
@click.version_option(__version__, prog_name="nod-task-output")
def main(file: str, run_id: str | None, json_: bool) -> None:
    """Makes FILE, or standard input, the full deliverable of the run in NOD_RUN_ID (Markdown)."""
    with translated():
        put_output(needed_run(run_id), file, json_=json_)


def put_output(run_id: str, file: str, *, json_: bool) -> None:
    """The same for any run, and what it prints."""
    text = stdin_or_file(file)
    with Client() as client:
        client.put_output(run_id, text)
    mark_output_set(run_id)
    if json_:
        show_json({"run_id": run_id, "bytes": len(text.encode())})
