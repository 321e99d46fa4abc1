"""Metrics of the server.

timings      durations by name, for ``get_statistics``
definitions  all metrics of ``/metrics`` with their help; code that measures uses these objects
families     metric types
pools        the use of limited resources: connections, requests, memory
process      memory, descriptors and processor time of this process
snapshot     all values of this process, as JSON
gathering    the merged values of all processes of a server
summary      key figures for ``geventcore status``
exposition   the text format of Prometheus
"""
