"""``Bcfg2.version``: comparable versions."""

from geventcore.plugin.client_version import ClientVersion

__all__ = ["Bcfg2VersionInfo"]

Bcfg2VersionInfo = ClientVersion
