"""What a provider says of the tapped ad, wherever it copied Meta's `referral` object to. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from shared.domain.messages import MessageClass, Referral, classify, clean_click_id
from shared.providers.base import Json
from shared.providers.body import identifier, raw_text, text, whole_text


@dataclass(frozen=True)
class Names:
    """What a provider calls the parts of a referral; by default, as Meta does. None: the provider has no such part.

    Meta's own names: https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/reference/messages/text/
    """

    click_id: str | None = "ctwa_clid"
    source_id: str = "source_id"
    source_type: str = "source_type"
    source_url: str = "source_url"
    headline: str = "headline"
    body: str = "body"
    media_type: str = "media_type"
    image_url: str = "image_url"
    video_url: str = "video_url"


META = Names()
#: Meta's names in camel case, as providers that parse and write it again use them; they drop the click id.
CAMEL = Names(
    click_id=None,
    source_id="sourceId",
    source_type="sourceType",
    source_url="sourceUrl",
    media_type="mediaType",
    image_url="imageUrl",
    video_url="videoUrl",
)


def read_referral(written: Mapping[str, Json], names: Names = META) -> Referral | None:
    """Return what a referral names, or None when it names nothing (an empty object, or bare markers)."""
    click_id, flags = clean_click_id(raw_text(written.get(names.click_id)) if names.click_id else None)
    source_type = text(written.get(names.source_type), 64)
    media_type = text(written.get(names.media_type), 64)
    image, video = (whole_text(written.get(name)) for name in (names.image_url, names.video_url))
    referral = Referral(
        click_id=click_id,
        source_id=identifier(written.get(names.source_id)),
        source_type=source_type.lower() if source_type else None,
        source_url=whole_text(written.get(names.source_url)),
        headline=text(written.get(names.headline)),
        body=text(written.get(names.body)),
        media_type=media_type.lower() if media_type else None,
        media_url=(video or image) if (media_type or "").lower() == "video" else (image or video),
        flags=flags,
    )
    return None if classify(referral) is MessageClass.ORGANIC else referral
