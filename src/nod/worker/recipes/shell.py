"""The shell: a task's prompt is a script, and what it prints is the result.

Not a `Recipe`, for it has no session and no lines to understand: it is a command whose last
argument is the file with the prompt. What a call from outside brought stays in files of its own,
and a person's chat message is never run.
"""

SHELL = "shell"
COMMAND = ("/bin/sh",)
