"""`nod work`: any command as an agent, or a program that it knows.

A task event becomes a job (`job.py`), which waits for a free place (`worker.py`). A place gives it
files and an environment (`workspace.py`), starts the command (`process.py`), watches it until it
ends or must end (`place.py`), makes a report of what came of it (`report.py`) and brings that to
the server however long it takes (`reporting.py`).

A program that a recipe describes (`recipes/`) works in turns (`turn.py`) of a session: the turns of
a run (`recipe_run.py`), and those of a chat (`dialogue.py`). What a worker has in hand is on disk
(`journal.py`), so that the next one can go on with it.
"""
