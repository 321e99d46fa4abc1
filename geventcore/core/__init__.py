"""What every server core is made of: the plugins, the clients' metadata, the exposed methods, life and death.

`geventcore.core.base.Core` serves local tools and has no network; `geventcore.core.network.NetworkCore` listens. The
implementations stand in `geventcore.cores`.
"""
