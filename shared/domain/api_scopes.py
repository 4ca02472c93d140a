"""What an API key may be used for. A key has one scope or several, in one workspace."""

from enum import StrEnum


class Scope(StrEnum):
    """The permissions of keys; the names are in requests of keys and in `api_keys.scopes`."""

    #: POST /v1/conversions and its changes.
    CONVERSIONS_WRITE = "conversions:write"
    #: Stages, tags, consent and past touchpoints of contacts.
    CONTACTS_WRITE = "contacts:write"
    #: Rules that are added, changed, switched and removed under /api/v1/rules.
    RULES_WRITE = "rules:write"
    #: Spend and ad accounts that are brought in under /api/v1.
    SPEND_WRITE = "spend:write"
    #: Alerts that are acknowledged and resolved under /api/v1.
    ALERTS_WRITE = "alerts:write"
    #: GET /api/v1: results, figures and set-up, people masked.
    RESULTS_READ = "results:read"
