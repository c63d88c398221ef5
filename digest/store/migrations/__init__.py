"""The history of the schema, one file a change; `digest.store.versions` runs it."""
