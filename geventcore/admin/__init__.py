"""The admin listener: health, metrics and state of a running server, on sockets of its own."""
