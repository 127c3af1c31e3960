"""How bytes reach an agent: open sockets, webhooks, their signatures and where they may go."""
