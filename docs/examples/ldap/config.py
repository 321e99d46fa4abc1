"""Who is responsible for a host."""

from geventcore.plugins.ldap import LdapConnection, LdapQuery

__queries__ = ["OwnerQuery"]

directory = LdapConnection(uri="ldaps://ldap.example.com", options={"ca": "/etc/ssl/certs/ca-certificates.crt"})


class OwnerQuery(LdapQuery):
    """The owner of a host."""

    name = "owner"
    connection = directory
    base = "ou=hosts,dc=example,dc=com"
    scope = "one"
    attrs = ["owner"]

    def is_applicable(self, metadata):
        return metadata.inGroup("server")

    def prepare_query(self, metadata):
        self.filter = f"(cn={metadata.hostname})"

    def process_result(self, metadata):
        return self.result[0][1]["owner"][0] if self.result else None
