"""The web pages and the JSON API of a site. ``geventcore web`` serves them.

options       the ``[web]`` options
app           the Flask application: made from a `services.Services`
services      everything that the pages read: database, fleet, servers, repository
current       the services of the application that answers the current request
database      the database of reports, opened when a page needs it
serving       the HTTP server on TCP ports and UNIX sockets
environment   what the server tells the application about a request
access        who may see the pages: local callers, users, trusted proxies
users         the file of users and their hashed passwords
fleet         all hosts at a moment, and the selection of some
problems      the entries that hosts have in common
hours         runs of each hour, for the trend and the calendar
certificates  the days that certificates have left
live          the state of running servers, from their admin listeners
site          the repository: the clients, their configuration and probes
differences   differences of files, line by line
charts        the geometry of charts
asking        the parameters of a request
resources     the tables of pages and the API
tables        tables as CSV and JSON
texts         numbers, times and durations for people
pages/        one module for each kind of page
api/          the JSON API and its description

A page works without JavaScript. `static/app.js` adds updates of the live page, a filter for tables and keyboard keys.
Nothing that a client has sent is marked as safe HTML: Jinja2 escapes every value.
"""
