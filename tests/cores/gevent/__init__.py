"""What only the gevent core promises: live servers of it, each test in a site of its own."""
