"""Packages: dependencies of packages, from the sources that clients have (docs: reference/plugins/packages)."""

from geventcore.plugins.packages.plugin import Packages

__all__ = ["Packages"]
