"""Whether webhooks come, authenticated, once, and with messages in them. Pure."""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime

from console.doctor.findings import ChannelFacts, Check, Finding, Proof, Severity
from console.setup.channels import secret_problems
from shared.db.health import ChannelTraffic
from shared.domain.durations import rough
from shared.domain.reasons import explain
from shared.domain.sentences import Sentence, sentence, together
from shared.providers.base import Provider, Request, Secrets
from shared.providers.reasons import IGNORED

#: Fewer webhooks or messages than these say nothing of shares.
ENOUGH_WEBHOOKS = 5
ENOUGH_FOR_TWICE = 10
#: Redeliveries are few; a second subscription repeats everything.
TWICE = 0.8
SILENT_SECONDS = 86_400
REFUSED_SHARE = 0.01
#: What shows that the URL gets another product's webhooks, or those of another provider.
_FOREIGN = ("empty", "other_channel", "other_object", "unparsed")


def proof_of(provider: Provider, unsigned: bool, held: Sequence[Secrets]) -> Proof:
    """Whether a webhook that is signed with the channel's current secrets would be taken."""
    if unsigned:
        return Proof.UNSIGNED
    if not held or secret_problems(provider, held[0], unsigned=False):
        return Proof.MISSING
    request = Request(body=b"{}", received_at=datetime.now(UTC))
    headers = {name.lower(): value for name, value in provider.sign(request, held[0]).items()}
    signed = Request(body=request.body, headers=headers, received_at=request.received_at)
    if not provider.verify(signed, [held[0]]):
        return Proof.MISSING
    return Proof.ROTATING if len(held) > 1 else Proof.SET


def _proof(facts: ChannelFacts) -> Iterator[Finding]:
    name = shlex.quote(facts.channel.name)
    severity, words, next_step = {
        Proof.SET: (Severity.OK, sentence("Its secret is set, and a webhook signed with it is taken."), None),
        Proof.ROTATING: (
            Severity.OK,
            sentence("It has a new and a previous secret; both are taken."),
            sentence("Once the provider uses the new one: ctwa channels rotate {name} --finish", name=name),
        ),
        Proof.UNSIGNED: (
            Severity.WARN,
            sentence("Nothing authenticates its webhooks: whoever learns the URL can post leads."),
            sentence("Give it a secret (ctwa channels set {name} --signed) and enter it at the provider.", name=name),
        ),
        Proof.MISSING: (
            Severity.FAIL,
            sentence("Its secret is missing or can't be used, so every webhook is refused."),
            sentence("Set it: ctwa channels set {name} --secret-file FIELD=FILE", name=name),
        ),
        Proof.UNREADABLE: (
            Severity.FAIL,
            sentence("Its secrets were sealed with a key that this process doesn't have, so every webhook is refused."),
            sentence("Put the old key back into SECRET_KEYS and restart the receiver."),
        ),
    }[facts.proof]
    yield Finding(check="secret", severity=severity, words=words, next_step=next_step)


def _arrivals(facts: ChannelFacts) -> Iterator[Finding]:
    traffic, hints = facts.traffic, facts.hints
    if traffic.seconds_ago is None and not traffic.had_messages:
        yield Finding(
            check="arrivals",
            severity=Severity.WARN,
            words=sentence("No webhook has come yet."),
            next_step=sentence(
                "Enter the URL {url} at the provider, then try: ctwa send-sample --channel {name}",
                url=facts.url,
                name=shlex.quote(facts.channel.name),
            ),
            where=sentence(hints.where),
        )
    elif traffic.seconds_ago is None or traffic.seconds_ago > SILENT_SECONDS:
        kept = (
            sentence("None is kept any more.")
            if traffic.seconds_ago is None
            else sentence("The last one is {age} old.", age=_age(traffic))
        )
        yield Finding(
            check="arrivals",
            severity=Severity.WARN,
            words=together(sentence("It used to receive webhooks, and for more than a day none has come."), kept),
            next_step=sentence(
                "Look whether the number is still connected, the webhook is still switched on, and the receiver can be"
                " reached from outside."
            ),
            where=sentence(hints.where),
        )
    else:
        words = sentence(
            "The last webhook came {age} ago; {count} in the last day.", age=_age(traffic), count=traffic.webhooks
        )
        yield Finding(check="arrivals", severity=Severity.OK, words=words)


def _subscription(facts: ChannelFacts) -> Iterator[Finding]:
    """Webhooks come, and no message is ever in them."""
    traffic = facts.traffic
    if traffic.read < ENOUGH_WEBHOOKS or traffic.messages:
        return
    most = sorted(traffic.ignored.items(), key=lambda item: -item[1])[:3]
    held = [_counted(count, reason, IGNORED.get(reason, "?")) for reason, count in most]
    foreign = sum(traffic.ignored.get(reason, 0) for reason in _FOREIGN) * 2 >= traffic.read
    words = sentence(
        "{count} webhooks were read in the last day and held no message from a person.", count=traffic.read
    )
    if most:
        words = together(words, sentence("They held:"), *held)
    if foreign:
        next_step = sentence(
            "They don't look like {provider}'s. Is this channel's provider right, and does only this provider post to"
            " its URL? See one: ctwa webhooks --channel {name}",
            provider=facts.provider.title,
            name=shlex.quote(facts.channel.name),
        )
    else:
        next_step = together(sentence("The subscription is probably wrong."), sentence(facts.hints.subscribe))
    # A number that only sends campaigns may go a day without an answer.
    severity = Severity.WARN if traffic.had_messages else Severity.FAIL
    yield Finding(
        check="subscription", severity=severity, words=words, next_step=next_step, where=sentence(facts.hints.where)
    )


def _rejected(facts: ChannelFacts) -> Iterator[Finding]:
    if not facts.traffic.rejected:
        return
    held = [_counted(count, code, explain(code).words) for code, count in facts.traffic.rejected.items()]
    first = explain(max(facts.traffic.rejected, key=lambda code: facts.traffic.rejected[code]))
    yield Finding(
        check="rejected",
        severity=Severity.WARN,
        words=together(
            sentence(
                "{count} webhooks of the last 7 days could not be read:", count=sum(facts.traffic.rejected.values())
            ),
            *held,
        ),
        next_step=together(
            first.next_step,
            sentence(
                "They are kept: ctwa webhooks --state rejected --channel {name}", name=shlex.quote(facts.channel.name)
            ),
        ),
        where=sentence(facts.hints.where),
    )


def _twice(facts: ChannelFacts) -> Iterator[Finding]:
    """Every message comes twice: two subscriptions, not the odd redelivery."""
    known = facts.traffic.duplicates
    new = facts.traffic.messages - known
    if facts.traffic.messages < ENOUGH_FOR_TWICE or not new or known < TWICE * new:
        return
    words = sentence(
        "Of {count} messages of the last day, {known} were known already: each comes twice.",
        count=facts.traffic.messages,
        known=known,
    )
    if facts.hints.twice_is_usual:
        words = together(words, sentence("With this provider that is usual, and each counts once."))
        yield Finding(check="twice", severity=Severity.OK, words=words)
        return
    yield Finding(
        check="twice",
        severity=Severity.WARN,
        words=together(
            words, sentence("Each counts once, but one copy may be late, and half of the work is for nothing.")
        ),
        next_step=together(sentence(facts.hints.twice), sentence("(Webhooks that you replayed count as known too.)")),
        where=sentence(facts.hints.where),
    )


def refusals(acknowledged: float, refused: Mapping[str, float]) -> Finding:
    """What the receiver's counters say of refused requests, since it started; they don't tell channels apart."""
    unproven, unknown = refused.get("not_authentic", 0), refused.get("unknown_channel", 0)
    asked = acknowledged + unproven
    share = unproven / asked if asked else 0.0
    words = (
        f"Since the receiver started, {unproven:.0f} of {asked:.0f} webhooks ({share:.1%}) could not be authenticated,"
        f" and {unknown:.0f} requests named no channel."
    )
    if unproven >= ENOUGH_WEBHOOKS and share >= REFUSED_SHARE:
        step = (
            "Enter the channel's secret at the provider again. The receiver's log names the channel: webhook refused,"
            " reason=not_authentic, channel_id. A second webhook that sends no secret (Evolution's global one) looks"
            " the same."
        )
        return Finding(check="refused", severity=Severity.WARN, words=words, next_step=step)
    return Finding(check="refused", severity=Severity.OK, words=words)


def unknown_refusals(why: str) -> Finding:
    """What to say when the receiver's counters can't be read: refused requests are not stored anywhere else."""
    words = f"How many requests were refused is not known: {why} Nothing is stored of a refused request."
    step = "Read the receiver's metrics: --metrics URL"
    return Finding(check="refused", severity=Severity.OK, words=words, next_step=step)


def _counted(count: int, code: str, words: str) -> Sentence:
    return Sentence.of("{count} × {code}: {words}", {"count": count, "code": code, "words": sentence(words)})


def _age(traffic: ChannelTraffic) -> str:
    """As 25 min or 3 h: it stands in sentences of every language."""
    return rough(traffic.seconds_ago or 0)


CHECKS: tuple[Check, ...] = (_proof, _arrivals, _subscription, _rejected, _twice)
