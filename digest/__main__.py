"""``python -m digest`` is the program `digest`."""

from digest.cli import main

main()
