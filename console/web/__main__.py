"""`python -m console.web`."""

from console.web.server import main

main()
