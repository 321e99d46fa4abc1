"""Packages of geventcore for distributions, and a container image."""
