"""Measurements of what the server does.

timings      durations by name, as ``get_statistics`` answers them
definitions  every metric that ``/metrics`` shows, with its manual; whoever measures something calls these
families     what a metric is
pools        how full the pools of connections, requests and renders are
process      memory, descriptors and processor time of this process
snapshot     all values of this process, as JSON can carry them
gathering    the values of all processes of a server, as one
summary      what the values say, in short
exposition   the text that Prometheus reads, and reading it
"""
