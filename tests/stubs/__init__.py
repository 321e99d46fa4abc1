"""Stand-ins for the other end of a conversation, made of the standard library only."""
