"""The build of one client's configuration: a list of steps, and the binding of entries."""
