"""Use cases: what people, pages and the schedule ask for, put together from the parts below.

A tour: `poll` reads the configured sources; `build` makes an edition and lets an editor change it; `preview`
writes what will arrive; `send` takes an approved edition to the relay; `meanwhile` looks at its sources until
then; `letters` writes to `editors` and operators; `reconcile` compares the schedule with the tables and does
what is due; `supervise` keeps both processes of `digest run` alive; `generation` notices a restored backup.
"""
