"""Reporting: the way of clients' reports from the upload to the database, without loss."""
