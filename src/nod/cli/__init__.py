"""The command line. `main.py` lists the commands; each lives in a module that is imported late."""
