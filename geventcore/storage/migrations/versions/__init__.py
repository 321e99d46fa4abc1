"""One module for each version of the schema. A module that has been released does not change any more."""
