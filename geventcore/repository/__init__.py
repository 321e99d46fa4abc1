"""The repository's files as the server uses them: its lock and durable writes."""
