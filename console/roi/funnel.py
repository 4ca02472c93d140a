"""The steps from an ad that is shown to a sale, as Meta reports them and as they came in here. Pure."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Step:
    """What is counted, its share of the step before, and what one costs; figures by name, None where there is none."""

    name: str
    rate: str | None
    cost: str | None
    told_by: Literal["meta", "here"]


STEPS = (
    Step("impressions", None, "cpm", "meta"),
    Step("clicks", "ctr", "cpc", "meta"),
    Step("link_clicks", "link_ctr", None, "meta"),
    Step("conversations_reported", None, "cost_per_reported_conversation", "meta"),
    Step("conversations", "capture_rate", "cost_per_conversation", "here"),
    Step("leads", "lead_rate", "cpl", "here"),
    Step("qualified", "qualification_rate", "cpql", "here"),
    Step("purchases", "purchase_rate", "cost_per_purchase", "here"),
)
REPORTED = tuple(step for step in STEPS if step.told_by == "meta")
CAPTURED = tuple(step for step in STEPS if step.told_by == "here")
