"""The contract of a core, and its parts: plugins, client metadata, configurations, exposed methods, connections.

`geventcore.core.base.Core` serves local tools and has no network; `geventcore.core.network.NetworkCore` listens. The
implementations stand in `geventcore.cores`.
"""
