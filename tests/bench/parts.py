"""All parts, in the order of the page."""

from tests.bench import acknowledge, adapters, end_to_end, footprint, growth

PARTS = {part.name: part for part in (acknowledge.PART, end_to_end.PART, growth.PART, adapters.PART, footprint.PART)}
