"""Wake-ups. They are hints: whoever misses one finds the change in the database later."""
