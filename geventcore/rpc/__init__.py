"""The way from a request to its response: authenticate, authorise, dispatch, answer. Without I/O, for all cores."""
