"""Newsletter digest: the most popular stories of a week, as an email, to every subscriber, by itself.

A tour, in the order in which a story travels:

`importers` read feeds and tables and clean them; `store` keeps stories, signals, editions and deliveries;
`ranking` turns signals into a list with reasons; `edition` freezes that list; `render` makes HTML and text
with slots of it; `compose` makes the MIME message and splices each reader's values in; `delivery` claims,
offers, sends and records; `smtp` talks to the relay. `subscribers`, on its own, knows who wants what.
`schedule` says what is due, `work` does it, `app` chooses the implementations; `web` and `cli` are the doors.
"""

__version__ = "0.1.0"
