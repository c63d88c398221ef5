"""How Alembic runs here: on the connection that `digest.store.versions` hands in, inside its transaction."""

from alembic import context

from digest.store.tables import metadata

given = context.config.attributes

context.configure(
    connection=given["connection"],
    target_metadata=metadata,
    render_as_batch=True,  # SQLite alters tables by rebuilding them
    render_item=given.get("render_item"),
)
context.run_migrations()
