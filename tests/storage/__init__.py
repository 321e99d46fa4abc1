"""The database layer, over every kind of database that is here."""
