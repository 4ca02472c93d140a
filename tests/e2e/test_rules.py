"""A rule at work in the processes of one stack: what a person of the business writes becomes an event at Meta."""

import json
import time

import pytest

from shared.providers import parse_body
from tests.e2e.local_stack import LocalStack, Sample, wait_until

pytestmark = pytest.mark.timeout(120)


def test_what_the_business_writes_becomes_a_qualified_lead_of_the_click(stack: LocalStack):
    add = ("rules", "add", "booked", "--on", "outgoing", "--keyword", "agendado", "--by", "human", "--enable")
    stack.ctwa(*add, "--event", "QualifiedLead", "--channel", "demo-whapi")
    ad = Sample("whapi")
    phone = parse_body("whapi", ad.body).messages[0].phone
    assert stack.post("demo-whapi", ad.body) == 200
    wait_until(lambda: stack.received(ad.click_id))

    def reply() -> bytes:
        number = time.time_ns()
        message = {
            "id": f"Qk3n{number}-booked", "from_me": True, "type": "text", "source": "mobile",
            "chat_id": f"{phone}@s.whatsapp.net", "from": "15550100999", "timestamp": number // 10**9,
            "text": {"body": "Está AGENDADO!"},
        }  # fmt: skip
        event = {"type": "messages", "event": "post"}
        return json.dumps({"messages": [message], "event": event, "channel_id": "S"}).encode()

    def qualified() -> list[str]:
        # Workers read the rules anew every few seconds, so the business writes until one has.
        assert stack.post("demo-whapi", reply()) == 200
        wait_until(stack.is_idle)
        return [one["event_name"] for one in stack.received(ad.click_id) if one["event_name"] == "QualifiedLead"]

    assert wait_until(qualified) == ["QualifiedLead"]
    query = (
        "select r.name, c.rule_version, m.direction from conversions c join rules r on r.id = c.rule_id"
        " join messages m on m.id = c.message_id"
    )
    assert stack.rows(query) == [("booked", 1, "out")]
