web01 is the canary among the web servers: new releases arrive here first.
