"""Makes ``python -m docs.reference`` work; the documentation itself is the Markdown beside this file."""
