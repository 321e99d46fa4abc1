"""``Bcfg2.version``: versions that can be compared."""

from geventcore.plugin.client_version import ClientVersion

__all__ = ["Bcfg2VersionInfo"]

Bcfg2VersionInfo = ClientVersion
