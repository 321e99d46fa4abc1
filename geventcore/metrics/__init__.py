"""Measurements of what the server does."""
