"""Every scenario, in the order in which they are run."""

from tests.faults.scenarios import disk, inside, kills, many, meta, poison, postgres, redis, spool
from tests.faults.table import SCENARIOS

MODULES = (kills, inside, redis, postgres, spool, disk, meta, poison, many)

__all__ = ["MODULES", "SCENARIOS"]
