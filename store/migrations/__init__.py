"""Alembic's home: env.py runs in the connection that store.migration gives it."""
