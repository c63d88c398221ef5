"""Access logs -> who read which page on which day.

A tour, in the order in which a line travels: `lines` cuts bytes into lines; `formats` tells which format they
are in, and `combined`, `jsonlines` and `w3c` make an `Entry` of each, with `moments` for its time; `requests`
says which page a person read with it, or why it counts as none, with `agents` for browsers and machines;
`days` keeps who read what on a day as hashes, and counts. `tally` is the round trip of one log.
"""
