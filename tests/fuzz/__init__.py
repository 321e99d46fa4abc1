"""Fuzzing: what anybody or anything may send to the server, or leave in its files, is taken or refused, and fast.

`targets` has one function for each parser. `run` calls them with what a coverage-guided fuzzer makes of the seeds in
``corpus``; ``make fuzz MINUTES=60`` does so for long.
"""
