"""The console's API under /api/v1: what became of everything, for programs."""
