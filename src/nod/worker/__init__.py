"""`nod work`: any command as an agent.

A task event becomes a job (`job.py`), which waits for a free place (`worker.py`). A place gives it
files and an environment (`workspace.py`), starts the command (`process.py`), watches it until it
ends or must end (`place.py`), makes a report of what came of it (`report.py`) and brings that to
the server however long it takes (`reporting.py`).
"""
