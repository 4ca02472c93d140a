"""All parts, in the order of the page."""

from tests.bench import acknowledge, adapters, backlog, end_to_end, fairness, footprint, growth, nodes, pages

_MODULES = (acknowledge, end_to_end, fairness, backlog, growth, pages, nodes, adapters, footprint)
PARTS = {module.PART.name: module.PART for module in _MODULES}
