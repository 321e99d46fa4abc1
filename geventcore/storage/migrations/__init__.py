"""The changes of the schema: Alembic's entry point (``env.py``), and one module for each change (``versions``)."""
