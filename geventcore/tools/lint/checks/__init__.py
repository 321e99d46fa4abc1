"""The checks, by the part of the repository that they look at."""
