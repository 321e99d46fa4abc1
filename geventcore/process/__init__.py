"""The server as a process of the system: daemon, signals, service manager, listening sockets."""
