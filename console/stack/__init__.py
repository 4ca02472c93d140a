"""The product's own local stack: its secrets, its demo rows, its processes (docs/local-stack.md)."""
