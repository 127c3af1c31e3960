"""What several tests share: a clock to turn, a store with people and agents, a running server."""
