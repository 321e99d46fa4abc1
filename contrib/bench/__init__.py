"""Benchmarks: servers under the load of many clients; each is one command.

* `compare`: any servers, at several levels of concurrency, by turns; `levels`: the usual ones
* `herd`: ten thousand clients that begin within one second
* `soak`: does anything grow?
* `start`: with a large repository
* `kill`: workers that are killed under load
* `disturbance`: what misbehaving connections do to everybody else
* `render`: what it costs to build configurations, without a network
* `storage`, `reports`: how many uploads a database takes in, and how large they are in it
* `uploads`: the same over the network, sharing commits or not
* `servers`, `arena`, `command`: how servers are started, where, and what the commands have in common
* `meter`: processor time and memory of a tree of processes
"""
