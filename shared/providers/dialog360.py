"""360dialog: Meta's Cloud API webhooks, passed through unchanged (see meta_cloud), with a proof of its own.

Documentation: https://docs.360dialog.com/docs/messaging/webhook/webhook-reference (payloads, retries) and
https://docs.360dialog.com/partner/onboarding/webhook-events-and-setup/signature-validation (signature).

Authentic is, for partners who have a platform secret, what carries `x-360dialog-signature`, the HMAC-SHA256 of the body
under that secret, in hexadecimal; Meta's own signature isn't passed on. Numbers without a partner account get no
signature. For them it is a header of our choice, set together with the webhook's URL.
"""

import re
from collections.abc import Mapping, Sequence

from shared.providers import meta_cloud
from shared.providers.base import Provider, Request, SecretField, Secrets
from shared.providers.proofs import StaticToken, any_of, hmac_hex, live_secrets, same

SIGNATURE_HEADER = "x-360dialog-signature"

_TOKEN = StaticToken()
# Some accounts of it in the wild write `sha256=` before the digits, as Meta does.
_SIGNATURE = re.compile(r"(?:sha256=)?([0-9a-f]{64})", re.ASCII)


def verify(request: Request, secrets: Sequence[Secrets]) -> bool:
    """Say whether the body is signed with a platform secret or, where a set has none, the token is there."""
    match = _SIGNATURE.fullmatch(request.headers.get(SIGNATURE_HEADER, ""))
    given = match[1] if match else ""
    return any_of(_verify_one(request, given, secret) for secret in secrets)


def _verify_one(request: Request, given: str, secret: Secrets) -> bool:
    platform_secret = live_secrets([secret], "platform_secret")
    if not platform_secret:
        return _TOKEN.verify(request, [secret])
    return same(given, hmac_hex(platform_secret[0], request.body))


def sign(request: Request, secrets: Secrets) -> Mapping[str, str]:
    """Return the header that 360dialog would send: the signature, or the static header where there is no secret."""
    platform_secret = live_secrets([secrets], "platform_secret")
    if not platform_secret:
        return _TOKEN.sign(request, secrets)
    return {SIGNATURE_HEADER: hmac_hex(platform_secret[0], request.body)}


PROVIDER = Provider(
    name="360dialog",
    title="360dialog",
    docs_url="https://docs.360dialog.com/docs/messaging/webhook/webhook-reference",
    secret_fields=(
        SecretField(
            "platform_secret",
            "Partner Hub, Integration, Platform secret. It signs every webhook. Partners only.",
            required=False,
        ),
        *_TOKEN.fields("set with the webhook's URL, under headers"),
    ),
    verify=verify,
    parse=meta_cloud.parse,
    sign=sign,
    click_id_paths=meta_cloud.PROVIDER.click_id_paths,
    sample_paths=meta_cloud.PROVIDER.sample_paths,
)
