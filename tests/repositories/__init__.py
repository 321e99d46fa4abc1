"""Repositories for benchmarks and tests, with a command line.

python -m tests.repositories DIRECTORY --clients 50
"""
