"""`python -m console.web`."""

from shared.imports import load_program

load_program("console.web.server").main()
