"""Switch debugging of a server on or off: ``python debug_switch.py URL CA on|off``; the URL has user and password."""

import ssl
import sys
import xmlrpc.client

_, url, ca, position = sys.argv  # https://admin:PASSWORD@localhost:6789
with xmlrpc.client.ServerProxy(url, context=ssl.create_default_context(cafile=ca)) as server:
    print("debugging is now", "on" if server.set_debug(position == "on") else "off")
