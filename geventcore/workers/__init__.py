"""Serving in several processes: the master, its workers, and the messages between them."""
