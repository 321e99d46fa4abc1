"""Load: thousands of cheap clients from several processes, and what the server did under them.

Where the clients of `geventcore.fleet` look at every answer with care, these make the same calls for a fraction of the
processor time, which they take from a server on the same machine. What they send is made once for all clients alike;
of an answer they check what can be checked without parsing it.

conversation  what clients send, and what they accept as an answer
engine        the clients of one process, on one event loop
records       what every call did, in a few bytes each
job           what one process is to do
worker        the process
crew          several of them, from beginning to end
sampler       memory, descriptors and processor time of the server's processes
measurement   everything that was measured, in numbers
own_server    a server of the benchmark's own
text, page    a measurement to read: on a terminal, in a browser
charts        the page's charts
"""
