"""How one client's configuration is built: a list of steps, and the binding of entries."""
