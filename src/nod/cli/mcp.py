"""`nod mcp`: Nod for an agent that speaks the Model Context Protocol."""

import asyncio
import logging
import signal
import sys

import click

from nod.cli.failure import needs_mcp
from nod.client.settings import resolve


@click.command()
def mcp() -> None:
    """Serves an agent that speaks the Model Context Protocol, over standard input and output.

    \b
    An MCP client starts it by itself; give it this command and, in its environment, NOD_API_URL,
    NOD_AGENT_ID and NOD_SECRET:

    \b
      claude mcp add nod -e NOD_API_URL=… -e NOD_AGENT_ID=… -e NOD_SECRET=… -- nod mcp
    """
    resolve()  # what is missing is said before the protocol begins
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="nod mcp: %(message)s")
    try:
        from nod.mcp.stdio import serve
    except ModuleNotFoundError as error:
        raise needs_mcp(error) from error
    # A thread blocks on reading standard input, so Ctrl-C would only be noticed after a line.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    asyncio.run(serve())
