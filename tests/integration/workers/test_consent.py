"""Stages, tags and consent of contacts, over a real database: what holds, and what may be sent."""

import pytest

from shared.domain.submissions import Person, SubmittedConsent, SubmittedStage, SubmittedTags
from tests.integration.workers.reports import EUR, PHONE, conversion, hours_ago, report, sale

ANN = Person(phone=PHONE)


@pytest.fixture
def channel(world):
    return world.add_channel(dataset_id=world.add_dataset())


def agree(world, *, given=True, hours=0.1):
    item = SubmittedConsent(person=ANN, given=given, occurred_at=hours_ago(hours), origin="checkout")
    return report(world, item, path="contacts/consent")[0]


def contact(world):
    [row] = world.rows("select stage, tags, consent from contacts where merged_into is null")
    return row


def bought(world, channel):
    world.receive_sample(channel, phone=PHONE, now=hours_ago(2))
    world.intake()
    report(world, sale(order="A1", **EUR))


def test_what_waits_is_held_back_when_consent_is_withdrawn_and_goes_when_it_is_given(world, channel):
    bought(world, channel)
    report(world, sale(order="A2"))
    agree(world, given=False, hours=0.2)
    assert [(row["state"], row["reason"]) for row in world.deliveries()] == [("skipped", "consent")] * 3
    assert world.send() == 0
    agree(world)
    assert sorted(world.states()) == ["pending", "pending", "waiting"]


def test_withdrawn_consent_is_seen_at_the_last_moment(world, channel):
    bought(world, channel)
    world.execute("update contacts set consent = false")
    world.send()
    assert [(row["state"], row["reason"]) for row in world.deliveries()] == [("skipped", "consent")] * 2
    assert world.graph.posted == []


def test_where_consent_is_required_nothing_goes_without_it(world, channel):
    world.execute("update datasets set consent_policy = 'required'")
    bought(world, channel)
    assert [row["reason"] for row in world.deliveries()] == ["consent", "consent"]
    agree(world)
    assert world.states() == ["pending", "pending"]


def test_an_older_word_that_comes_later_changes_nothing(world, channel):
    agree(world, given=False, hours=1)
    agree(world, given=True, hours=5)
    assert contact(world)["consent"] is False
    assert [row["kind"] for row in world.rows("select kind from contact_changes")] == [
        "consent_withdrawn", "consent_given",
    ]  # fmt: skip


def test_stage_and_tags_are_what_the_newest_reports_say(world, channel):
    def stage(name, hours):
        return SubmittedStage(person=ANN, stage=name, occurred_at=hours_ago(hours))

    report(world, stage("won", 1), stage("new", 5), path="contacts/stage")
    report(
        world,
        SubmittedTags(person=ANN, occurred_at=hours_ago(3), add=("vip", "b2b")),
        SubmittedTags(person=ANN, occurred_at=hours_ago(2), remove=("b2b",)),
        SubmittedTags(person=ANN, occurred_at=hours_ago(4), remove=("vip",)),
        path="contacts/tags",
    )
    assert contact(world) == {"stage": "won", "tags": ["vip"], "consent": None}


def test_what_took_effect_is_offered_to_the_rules_and_what_is_older_is_not(world, channel):
    offered = []

    def offer(_conn, happened):
        offered.append((happened.change.kind, happened.change.value))
        return 0

    items = [
        SubmittedStage(person=ANN, stage="won", occurred_at=hours_ago(1)),
        SubmittedStage(person=ANN, stage="new", occurred_at=hours_ago(5)),
        SubmittedTags(person=ANN, occurred_at=hours_ago(3), add=("vip",)),
    ]
    for item, path in zip(items, ("contacts/stage", "contacts/stage", "contacts/tags"), strict=True):
        report(world, item, path=path, offer=offer)
    assert offered == [("stage", "won"), ("tag_added", "vip")]


def test_consent_of_a_person_who_was_two_contacts_is_the_newest_of_both(world, channel):
    bought(world, channel)
    other = SubmittedConsent(person=Person(email="ann@example.com"), given=False, occurred_at=hours_ago(0.1))
    [told] = report(world, other, path="contacts/consent")
    world.execute(
        "update contacts set merged_into = %s where id = %s", conversion(world)["contact_id"], told["contact_id"]
    )
    agree(world, hours=3)
    assert contact(world)["consent"] is False
