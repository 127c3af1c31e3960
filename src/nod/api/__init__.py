"""The doors: how agents, people, callers of triggers and probes reach Nod over HTTP."""
