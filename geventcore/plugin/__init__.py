"""The contract of plugins: base class, interfaces, and the context that a plugin gets."""
