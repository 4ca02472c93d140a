"""`python -m receiver`."""

from receiver.server import main

main()
