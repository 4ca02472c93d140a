"""Who is who, over a real database: names gather, contacts merge when a message proves it, and people stay apart."""

import threading
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.domain.messages import Message, MessageClass
from tests.integration.workers.world import World
from workers.identities import Sender


def sender(workspace: str = "default", **names: Any) -> Sender:
    message = Message(message_id="m", message_class=MessageClass.ORGANIC, **names)
    return Sender(workspace=workspace, is_test=False, message=message)


def resolve(world: World, *senders: Sender) -> list[int]:
    with world.runtime.pool.connection() as conn:
        return world.runtime.identities.resolve(conn, senders)


def audited(world: World) -> list[str]:
    return [row["action"] for row in world.rows("select action from audit_log order by id")]


def test_two_contacts_are_merged_when_one_message_carries_both_their_names(world):
    (by_phone,) = resolve(world, sender(phone="15550100123"))
    (by_bsuid,) = resolve(world, sender(bsuid="US.1"))
    assert by_phone != by_bsuid
    (both,) = resolve(world, sender(phone="15550100123", bsuid="US.1"))
    assert both == by_phone
    assert resolve(world, sender(bsuid="US.1")) == [by_phone]
    assert audited(world) == ["contact.merge"]
    merged = world.rows("select id, merged_into from contacts where merged_into is not null")
    assert [(row["id"], row["merged_into"]) for row in merged] == [(by_bsuid, by_phone)]


def test_a_merge_moves_no_row_so_that_it_can_be_undone(world):
    (by_phone,) = resolve(world, sender(phone="15550100123"))
    (by_bsuid,) = resolve(world, sender(bsuid="US.1"))
    resolve(world, sender(phone="15550100123", bsuid="US.1"))
    world.execute("update contacts set merged_into = null")
    assert resolve(world, sender(bsuid="US.1")) == [by_bsuid]
    assert resolve(world, sender(phone="15550100123")) == [by_phone]


def test_a_number_that_comes_with_a_new_bsuid_moves_and_its_old_owner_stays_another_person(world):
    (old,) = resolve(world, sender(phone="15550100123", bsuid="US.1"))
    (new,) = resolve(world, sender(phone="15550100123", bsuid="US.2"))
    assert new != old
    assert resolve(world, sender(phone="15550100123")) == [new]
    assert resolve(world, sender(bsuid="US.1")) == [old]
    assert audited(world) == ["identity.move"]


def test_three_contacts_become_one_and_old_merges_still_lead_there(world):
    resolve(world, sender(phone="15550100123"))
    resolve(world, sender(bsuid="US.1"))
    resolve(world, sender(lid="9@lid"))
    resolve(world, sender(bsuid="US.1", lid="9@lid"))
    (one,) = resolve(world, sender(phone="15550100123", lid="9@lid"))
    assert resolve(world, sender(bsuid="US.1"), sender(lid="9@lid"), sender(phone="15550100123")) == [one] * 3


def test_names_in_one_batch_gather_on_one_contact_whatever_their_order(world):
    contacts = resolve(
        world, sender(phone="15550100123"), sender(phone="15550100123", bsuid="US.1"), sender(bsuid="US.1")
    )
    assert len(set(contacts)) == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [("551187654321", "5511987654321"), ("5215512345678", "525512345678"), ("541123456789", "5491123456789")],
)
def test_a_number_written_in_two_ways_is_one_contact(world, one, other):
    assert resolve(world, sender(phone=one)) == resolve(world, sender(phone=other))


def test_workspaces_share_nobody(world):
    assert resolve(world, sender("a", phone="15550100123")) != resolve(world, sender("b", phone="15550100123"))


def test_many_workers_with_the_same_people_make_each_of_them_once(world):
    people = [sender(phone=f"155501001{number:02d}", bsuid=f"US.{number}") for number in range(20)]
    found: list[list[int]] = []
    workers = [threading.Thread(target=lambda: found.append(resolve(world, *people))) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(found) == 4
    assert {tuple(contacts) for contacts in found} == {tuple(found[0])}
    assert len(world.rows("select 1 from contacts")) == 20


names = st.fixed_dictionaries(
    {},
    optional={
        "phone": st.sampled_from(["15550100101", "15550100102", "15550100103"]),
        "bsuid": st.sampled_from(["US.1", "US.2", "US.3"]),
        "lid": st.sampled_from(["1@lid", "2@lid"]),
    },
).filter(bool)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(names, max_size=8))
def test_whatever_names_come_two_bsuids_are_never_one_person(world, messages):
    world.execute("truncate contacts, contact_identities cascade")
    for some in messages:
        (contact,) = resolve(world, sender(**some))
        assert resolve(world, sender(**some)) == [contact]
    crowded = world.rows(
        """
        select coalesce(c.merged_into, c.id) as contact from contacts c
        join contact_identities i on i.contact_id = c.id and i.kind = 'bsuid' group by 1 having count(*) > 1
        """
    )
    assert crowded == []
    chained = "select 1 from contacts c join contacts p on p.id = c.merged_into where p.merged_into is not null"
    assert world.rows(chained) == []
