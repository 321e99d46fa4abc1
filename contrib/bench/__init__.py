"""Benchmarks: two servers under the same load, side by side.

* `compare`: the command; starts the servers by turns and prints one table
* `load`: plays the clients
* `servers`: how each server is started
* `meter`: processor time and memory of a tree of processes
"""
