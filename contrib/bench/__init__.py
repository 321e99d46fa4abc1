"""Benchmarks: servers under the load of many clients; each is one command.

* `all`: the table of targets; `site`: a configuration on a repository as sites have them, kept, edited and cold
* `compare`: any servers, at several levels of concurrency, by turns; `levels`: the usual ones
* `herd`: ten thousand clients that begin within one second
* `soak`: does anything grow?
* `start`: with a large repository
* `kill`: workers that are killed under load
* `disturbance`: latencies beside misbehaving connections; `checkout`: while the repository is updated
* `render`: the cost of building configurations, without a network
* `storage`, `reports`: how many uploads a database takes in, and how large they are in it
* `fleet`, `pages`: a database with ten thousand hosts, and the cost of the web pages on it
* `uploads`: the same over the network, sharing commits or not
* `idle`, `nginx`, `hostile`: memory of idle connections; a request beside nginx; thousands of misbehaving connections
* `candidates`, `command`, `attack`, `postgresql`: what the commands have in common

They import geventcore and one another, and nothing else of this source tree.
"""
