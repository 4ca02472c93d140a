"""A worker's world for those tests of the tables that need its use-cases."""

from tests.integration.workers.conftest import world

__all__ = ["world"]
