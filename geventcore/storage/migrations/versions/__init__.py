"""One module for each version of the schema. Do not change a released module."""
