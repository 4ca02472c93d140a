"""Whether messages say which ad brought them, and bring the click id that Meta needs. Pure."""

from collections.abc import Iterator

from console.doctor.findings import ChannelFacts, Check, Finding, Severity
from shared.domain.sentences import sentence, together

#: Without an ad block, so many inbound messages are no accident.
ENOUGH_MESSAGES = 30
#: Fewer ads than these say nothing of shares.
ENOUGH_ADS = 5
#: Of the ads, so large a part without click id is more than WhatsApp Status brings.
MUCH_WITHOUT_CLICK_ID = 0.3
MUCH_DAMAGED = 0.1
MUCH_UNDECRYPTED = 0.1
_DAMAGED = ("malformed_click_id", "overlong_click_id", "placeholder_click_id")
_ATTRIBUTION = sentence("WhatsApp Business (or WhatsApp Manager), settings of the business account, Ads Attribution")


def _ads(facts: ChannelFacts) -> Iterator[Finding]:
    """Whether any message says that an ad brought it."""
    traffic = facts.traffic
    counts = ", ".join(f"{count} {name}" for name, count in traffic.classes.items())
    if facts.inbound < ENOUGH_MESSAGES or facts.ads or traffic.classes.get("post"):
        words = (
            sentence("{count} messages in 7 days: {classes}.", count=facts.inbound, classes=counts)
            if counts
            else sentence("{count} messages in 7 days.", count=facts.inbound)
        )
        yield Finding(check="ads", severity=Severity.OK, words=words)
        return
    if traffic.had_ads:
        words = sentence(
            "{count} inbound messages in 7 days and none with an ad block; there were some before.", count=facts.inbound
        )
        next_step = sentence(
            "If ads are running now, check Ads Attribution in the WhatsApp Business settings, and the provider."
        )
    else:
        words = sentence("{count} inbound messages in 7 days and never an ad block.", count=facts.inbound)
        next_step = sentence(
            "If ads are running, check Ads Attribution in the WhatsApp Business settings: it must be on."
        )
    step = together(next_step, sentence(facts.hints.undecrypted))
    yield Finding(check="ads", severity=Severity.WARN, words=words, next_step=step, where=_ATTRIBUTION)


def _click_ids(facts: ChannelFacts) -> Iterator[Finding]:
    """How many ads come without the id that Meta needs."""
    without = facts.traffic.classes.get("ad_without_click_id", 0)
    if not facts.provider.click_id_paths:
        if without:
            yield Finding(
                check="click_ids",
                severity=Severity.WARN,
                words=sentence(
                    "{provider} carries no click id: its {count} ad leads of 7 days are counted and can't be reported"
                    " to Meta.",
                    provider=facts.provider.title,
                    count=without,
                ),
                next_step=sentence(
                    "To report them, connect the number through a provider that carries click ids"
                    " (docs/providers/README.md)."
                ),
            )
        return
    if facts.ads < ENOUGH_ADS:
        return
    share = without / facts.ads
    words = sentence(
        "{without} of {ads} ad messages of 7 days ({share:.0%}) came without a click id.",
        without=without,
        ads=facts.ads,
        share=share,
    )
    if share < MUCH_WITHOUT_CLICK_ID:
        yield Finding(check="click_ids", severity=Severity.OK, words=words)
        return
    yield Finding(
        check="click_ids",
        severity=Severity.WARN,
        words=together(words, sentence("They are counted, and can't be reported to Meta.")),
        next_step=sentence(facts.hints.without_click_id),
        where=f"docs/providers/{facts.provider.name}.md",
    )


def _damaged_click_ids(facts: ChannelFacts) -> Iterator[Finding]:
    damaged = {flag: facts.traffic.flags[flag] for flag in _DAMAGED if flag in facts.traffic.flags}
    count = sum(damaged.values())
    if count >= ENOUGH_ADS and count >= MUCH_DAMAGED * facts.ads:
        yield Finding(
            check="damaged_click_ids",
            severity=Severity.WARN,
            words=sentence(
                "{count} click ids of 7 days can't be real: {flags}.",
                count=count,
                flags=", ".join(f"{number} {flag}" for flag, number in damaged.items()),
            ),
            next_step=sentence(
                "Something between WhatsApp and here replaces or cuts them: look for a proxy, a log scrubber or a flow"
                " that forwards the webhooks."
            ),
        )


def _undecrypted(facts: ChannelFacts) -> Iterator[Finding]:
    """First messages that came without content: on linked devices, often those of ads."""
    traffic = facts.traffic
    waiting = traffic.ignored.get("placeholder", 0)
    many_waiting = waiting >= ENOUGH_ADS and waiting >= MUCH_UNDECRYPTED * max(traffic.messages, 1)
    many_blank = traffic.blank >= ENOUGH_ADS and traffic.blank >= MUCH_UNDECRYPTED * facts.inbound
    if not (many_waiting or many_blank):
        return
    parts = [
        sentence("{count} placeholders came in the last day.", count=waiting) if many_waiting else "",
        sentence("{count} messages of 7 days have no content.", count=traffic.blank) if many_blank else "",
        sentence("What was in them could not be decrypted, and with it any ad block is lost."),
    ]
    yield Finding(
        check="undecrypted",
        severity=Severity.WARN,
        words=together(*parts),
        next_step=sentence(facts.hints.undecrypted)
        if facts.hints.undecrypted
        else sentence("Ask the provider why these messages have no content."),
        where=sentence(facts.hints.where),
    )


CHECKS: tuple[Check, ...] = (_ads, _click_ids, _damaged_click_ids, _undecrypted)
