"""The SDK: what an agent needs to talk to Nod. It imports nothing of the server."""
