"""How a notice reaches a person's device: Web Push, and whatever Apprise knows."""
