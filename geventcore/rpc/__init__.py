"""From a request to its response: authenticate, authorise, dispatch, answer. No sockets: every core does the same."""
