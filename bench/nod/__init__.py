"""Nod as its users meet it: `nod serve` in a process of its own, over real HTTP and WebSockets."""
