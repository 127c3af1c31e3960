"""Nod: alarms for AI agents, and a way for them to reach their people."""
