"""Looking inside a campaign, an ad set or an ad: which ads, and which spend, are of it. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from shared.db.ads import Ad
from shared.db.roi import SpendCell

Level = Literal["campaign", "ad_set", "ad"]
LEVELS: tuple[Level, ...] = ("campaign", "ad_set", "ad")
_OF: Mapping[str, str] = {"campaign": "campaign_id", "ad_set": "ad_set_id", "ad": "ad_id"}


@dataclass(frozen=True)
class Inside:
    """One campaign, ad set or ad, by Meta's id."""

    level: Level
    id: str

    def has(self, ad: Ad | None) -> bool:
        """Whether an ad is of it; None is an ad that nobody knows."""
        return ad is not None and getattr(ad, _OF[self.level]) == self.id

    def ads(self, ads: Mapping[str, Ad]) -> dict[str, Ad]:
        """Those of these ads that are of it, by id."""
        return {ad_id: ad for ad_id, ad in ads.items() if self.has(ad)}

    def has_spend(self, spend: SpendCell, ads: Mapping[str, Ad]) -> bool:
        """Whether spend is known to be of it. What is known for something larger only isn't."""
        if spend.level == "ad":
            return self.has(ads.get(spend.object_id or ""))
        if spend.level == self.level:
            return spend.object_id == self.id
        return (
            spend.level == "ad_set"
            and self.level == "campaign"
            and any(ad.ad_set_id == spend.object_id for ad in self.ads(ads).values())
        )

    def name(self, ads: Mapping[str, Ad]) -> str | None:
        """What it is called, as far as its ads say."""
        names = {"campaign": "campaign_name", "ad_set": "ad_set_name", "ad": "ad_name"}
        return next((found for ad in self.ads(ads).values() if (found := getattr(ad, names[self.level]))), None)
