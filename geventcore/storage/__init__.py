"""The database: the only package that imports SQLAlchemy, besides `geventcore.bcfg2_import`.

options       the ``[database]`` options
config        the database configuration that results from them
schema        the tables
database      reading and writing, from any greenlet, thread or process
transactions  one transaction for the writes of several callers
memory        a cache of row numbers
statements    statements that differ between databases
announcements messages of a transaction to other servers
notifications the receiver of these messages
engine        the differences between SQLite, PostgreSQL and MySQL
failures      the classification of driver errors
migration     the check and the upgrade of the schema version
migrations    the changes of the schema, one module each

To store data of a new kind, write a module with functions that take a connection. Declare its tables on
`schema.METADATA`, import it in `tables`, and add a module to ``migrations/versions`` that creates the tables. The name
of that module begins with the next number: the numbers are the versions of the schema. A test compares tables and
migrations.
"""
