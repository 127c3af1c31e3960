"""Nod's figures, side by side with its nearest peers doing the same work on the same machine."""
