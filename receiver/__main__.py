"""`python -m receiver`."""

from shared.imports import load_program

load_program("receiver.server").main()
