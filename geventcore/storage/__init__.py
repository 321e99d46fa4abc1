"""What the server keeps in a database: the only package that knows SQLAlchemy.

options       the ``[database]`` options
config        which database they mean
schema        the tables
database      reading and writing, from any greenlet, thread or process
memory        numbers of rows that nobody has to ask for again
statements    what each kind of database spells in its own way
announcements what a transaction tells other servers
notifications hearing what they tell
engine        what is particular to SQLite, PostgreSQL and MySQL
failures      what a driver's errors mean
migration     is the schema what the code needs, and making it so
migrations    the changes of the schema, one module each
legacy_*      taking over a database of Bcfg2: ``legacy_import`` does it

Whatever wants to keep something here has a module of its own with functions that take a connection, declares its
tables on `schema.METADATA`, is imported by `schema.all_tables`, and adds a module to ``migrations/versions`` that
creates the tables. The name of that module begins with the number after the last one: the numbers are the versions of
the schema. A test tells if tables and migrations differ.
"""
