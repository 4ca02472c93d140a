"""What is told to an endpoint, and when it is tried again. Pure.

The body has the form of Standard Webhooks (https://github.com/standard-webhooks/standard-webhooks): type, timestamp,
data. It names things by id; a phone is in it only where the endpoint says so.
"""

import json
import random
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

#: After so long a notification is given up; `ctwa notifications retry` begins anew.
GIVE_UP_SECONDS = 3 * 86400.0
#: After so long without anything arriving an endpoint is disabled.
DISABLE_SECONDS = 5 * 86400.0
_FIRST_WAIT, _LONGEST_WAIT = 5.0, 6 * 3600.0
_LONGEST_REST = 600.0


def wait_after(attempts: int, rng: random.Random) -> float:
    """Seconds until the next try after so many: full jitter, doubling up to six hours."""
    return max(1.0, rng.uniform(0, min(_LONGEST_WAIT, _FIRST_WAIT * 2.0 ** min(attempts - 1, 20))))


def rest_after(failures: int) -> float:
    """Seconds that an endpoint is left alone after so many failures in a row: doubling up to ten minutes."""
    return min(_LONGEST_REST, 2.0 * 2.0 ** min(max(failures - 1, 0), 20))


def body_of(
    event: str,
    occurred_at: datetime,
    facts: Mapping[str, Any],
    *,
    fact: Mapping[str, Any],
    campaign: Mapping[str, Any] | None,
    console_url: str,
    phone: str | None = None,
) -> bytes:
    """The JSON to post. `facts` are those of `shared.db.notifications.facts_of`, `fact` is what was true then."""
    if event == "test":
        data: dict[str, Any] = {"message": "A test: the endpoint is reached, and the signature can be checked."}
    else:
        data = {
            "contact": _contact(facts.get("contact"), console_url, phone),
            "touchpoint": _touchpoint(facts.get("touchpoint"), campaign),
            "conversion": facts.get("conversion") and {**facts["conversion"], "id": str(facts["conversion"]["id"])},
            "delivery": _delivery(facts.get("delivery"), fact),
        }
        data = {name: value for name, value in data.items() if value is not None}
    moment = occurred_at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return json.dumps({"type": event, "timestamp": moment, "data": data}, ensure_ascii=False).encode("utf-8", "replace")


def _contact(contact: Mapping[str, Any] | None, console_url: str, phone: str | None) -> dict[str, Any] | None:
    if contact is None:
        return None
    told: dict[str, Any] = {"id": str(contact["id"]), "stage": contact["stage"]}
    if console_url:
        told["url"] = f"{console_url}/contacts/{contact['id']}"
    if phone is not None:
        told["phone"] = f"+{phone}"
    return told


def _touchpoint(touchpoint: Mapping[str, Any] | None, campaign: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if touchpoint is None:
        return None
    return {**touchpoint, "id": str(touchpoint["id"]), "ad": campaign and dict(campaign)}


def _delivery(delivery: Mapping[str, Any] | None, fact: Mapping[str, Any]) -> dict[str, Any] | None:
    if delivery is None:
        return None
    return {**delivery, "id": str(delivery["id"]), "state": fact.get("state"), "reason": fact.get("reason")}
