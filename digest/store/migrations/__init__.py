"""The history of the schema, one file a change; `digest.store.versions` runs it.

SQLite alters most things by rebuilding the table (Alembic's batch mode). A rebuilt table keeps its columns,
keys and indexes, but CHECK constraints, WITHOUT ROWID and AUTOINCREMENT only where the migration says them
again, in `table_args` and `table_kwargs` of `batch_alter_table`. The test that compares an upgraded database
with tables.py fails when one was forgotten.
"""
