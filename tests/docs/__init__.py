"""The documentation held to the program: what it lists exists, what it shows runs."""
