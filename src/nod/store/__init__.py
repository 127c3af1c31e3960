"""The only part of Nod that knows a database."""
