"""Nod for agents that speak the Model Context Protocol. It needs the extra `nod-tasks[mcp]`."""
