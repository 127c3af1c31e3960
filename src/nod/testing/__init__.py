"""For the tests of those who write agents: a real server whose clock the test moves.

with server() as nod, nod.working(agent):
    run_id = nod.call("Deploy", {"version": "1.4"})
    nod.answer("approved")
    assert nod.result(run_id)["status"] == "completed"
"""

try:
    from nod.testing.facade import NodServer, server
    from nod.testing.inside import Question
except ModuleNotFoundError as error:
    raise ImportError(
        "nod.testing runs a real server, which is not installed: pip install 'nod-tasks[server]'"
        f" ({error.name} is missing)"
    ) from error
from nod.testing.receiver import Call, Receiver

__all__ = ["Call", "NodServer", "Question", "Receiver", "server"]
