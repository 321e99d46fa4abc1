"""The changes of the schema: how Alembic runs them (``env.py``), and one module for each (``versions``)."""
