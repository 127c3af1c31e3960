"""Use cases: what a person or an agent does, one transaction each, whichever door it came by."""
