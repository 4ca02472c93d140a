"""All checks of a channel, in the order in which they are told. Pure."""

from console.doctor import ads, connection, dataset
from console.doctor.findings import ChannelFacts, Finding, Severity
from shared.domain.sentences import sentence

_CHECKS = (*connection.CHECKS, *ads.CHECKS, *dataset.CHECKS)


def examine(facts: ChannelFacts) -> list[Finding]:
    """Everything that can be said of a channel, in a fixed order."""
    if not facts.channel.enabled:
        words = sentence("It is switched off: the receiver answers its webhooks with 404.")
        return [Finding(check="enabled", severity=Severity.OK, words=words)]
    return [finding for check in _CHECKS for finding in check(facts)]
