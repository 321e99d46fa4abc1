"""Tools that tests of several directories share; no test is in here.

================================  ====================================================================================
servers of ours                   `encrypted_site`, `plugin_context` and `plugin_site` (a core without a network),
                                  `cfg_site`, `compat_site`; `site_plugins` are plugins that servers load; others are in
                                  `geventcore.testing`
clients                           `concurrent_calls`, `uploads`; others are in `geventcore.testing`
other servers                     `postgresql`, `mariadb`, `directory_server` (LDAP), `report_database`
keys and certificates             `openssl_ca`, `key_pairs`
stand-ins                         `xmlrpc_stub`: a server that answers as a test says
repositories                      `sample_repository`: a real client can install every entry of it
conformance cases                 `case_driver`, `case_compare`
databases of Bcfg2                `legacy_contents`
what can be seen of a process     `metric_values`, `reduced_rights`, `own_process` (objects left by a call)
================================  ====================================================================================
"""
