"""Ldap: data from directory servers, for templates (docs: reference/plugins/ldap). Experimental.

``Ldap/config.py`` imports `LdapConnection` and `LdapQuery` from here, derives queries, and lists their names in
``__queries__``. The module `queries` has the base class, `connection` talks to servers, `plugin` loads the file and
caches results.
"""

from geventcore.plugins.ldap.connection import LdapConnection
from geventcore.plugins.ldap.plugin import Ldap
from geventcore.plugins.ldap.queries import LdapQuery, LdapSubQuery

__all__ = ["Ldap", "LdapConnection", "LdapQuery", "LdapSubQuery"]
