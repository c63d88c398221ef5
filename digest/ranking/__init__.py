"""From signals to a list with reasons. Pure: no clock, no network, no disk, no chance.

A tour, in the order in which a story is judged:

`signals` finds the metric that ranks the list and how often it is read; `score` turns a story's readings
into its increase over the window and a short projection, for as long as `carry` learns from the window;
`weigh` puts several signals on one scale, and `judge` does all this for every story. `choose` drops what must
not be in (used, sponsored, withdrawn, too young); `duplicates` folds near-duplicates into the most popular of
them, `parts` of a series not; `diversity` applies caps per section and author; `arrange` puts an editor's
pins where they belong; `explain` says why, `holds` why the list must wait for a person. `figures` writes
numbers and moments, `entry` is a story on its way.

`rank`, in `choose`, does all of it. The same candidates give the same list, whatever order they come in.
"""

from __future__ import annotations

from digest.ranking.choose import rank

__all__ = ["rank"]
