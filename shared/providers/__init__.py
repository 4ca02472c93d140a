"""The providers we read. A new one is its module and one line here; see docs/adding-a-provider.md."""

from collections.abc import Mapping

from shared.providers import (
    dialog360,
    doubletick,
    edna,
    evolution,
    gowa,
    green_api,
    gupshup,
    infobip,
    meta_cloud,
    sinch,
    twilio,
    uazapi,
    vonage,
    waha,
    wasapi,
    wati,
    whapi,
    wuzapi,
    ycloud,
    zapi,
    zernio,
)
from shared.providers.base import Parsed, Provider, Request

PROVIDERS: dict[str, Provider] = {
    "whapi": whapi.PROVIDER,
    "meta_cloud": meta_cloud.PROVIDER,
    "evolution": evolution.PROVIDER,
    "twilio": twilio.PROVIDER,
    "360dialog": dialog360.PROVIDER,
    "gupshup": gupshup.PROVIDER,
    "infobip": infobip.PROVIDER,
    "ycloud": ycloud.PROVIDER,
    "vonage": vonage.PROVIDER,
    "waha": waha.PROVIDER,
    "zernio": zernio.PROVIDER,
    "sinch": sinch.PROVIDER,
    "zapi": zapi.PROVIDER,
    "doubletick": doubletick.PROVIDER,
    "wasapi": wasapi.PROVIDER,
    "wati": wati.PROVIDER,
    "edna": edna.PROVIDER,
    "green_api": green_api.PROVIDER,
    "uazapi": uazapi.PROVIDER,
    "wuzapi": wuzapi.PROVIDER,
    "gowa": gowa.PROVIDER,
}


class UnknownProviderError(ValueError):
    """There is no provider of that name; the text lists those there are."""


def get_provider(name: str) -> Provider:
    """Return the provider of that name. Raises UnknownProviderError."""
    if name not in PROVIDERS:
        raise UnknownProviderError(f"No provider is called {name!r}. There are: {', '.join(sorted(PROVIDERS))}.")
    return PROVIDERS[name]


def parse_body(name: str, body: bytes, headers: Mapping[str, str] | None = None, path: str = "") -> Parsed:
    """Return what a request body holds for the named provider, as if it had been posted.

    Raises UnknownProviderError, and UnparsableError when the body cannot be read.
    """
    lowered = {key.lower(): value for key, value in (headers or {}).items()}
    return get_provider(name).parse(Request(method="POST", path=path, headers=lowered, body=body))
