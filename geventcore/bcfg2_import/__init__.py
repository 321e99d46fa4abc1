"""The import from a Bcfg2 database."""
