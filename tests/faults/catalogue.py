"""Every scenario, in the order of importance in which they are run."""

from tests.faults.scenarios import disk, inside, kills, many, meta, poison, postgres, redis, spool
from tests.faults.table import REGISTERED

_ORDER = (kills, redis, postgres, spool, disk, meta, poison, many, inside)

SCENARIOS = {
    name: one for module in _ORDER for name, one in REGISTERED.items() if one.play.__module__ == module.__name__
}
