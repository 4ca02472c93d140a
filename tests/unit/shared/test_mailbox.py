"""Addresses we write to: one mailbox each, and nothing else."""

from email.message import EmailMessage

from hypothesis import given
from hypothesis import strategies as st

from shared.mailbox import is_mailbox

MAILBOXES = ("ops@example.com", "o'neil+ads@mail.example.com", "jane=doe@example.com", "josé@exämple.com", "a@lan")
OTHERS = (
    "", "a", "@b", "a@", "a@b@c", "a b@c", "a@b,c@d", "x:a@b", "a@b:c", "a(c)@b", "[a]@b", "a@[127.0.0.1]", ".@b",
    "a.@b..c", "a\\@b", "a@b\n", "a\0@b", "a@b\x01", "a\u200b@b", "=?utf-8?q?a=2Cb?=@c", "a@=?utf-8?b?Cg==?=",
    "a@b\ud800", "a" * 65 + "@b", "a@" + "b" * 260,
)  # fmt: skip


def test_a_mailbox_is_told_from_what_is_more_or_less_than_one():
    assert [text for text in MAILBOXES if not is_mailbox(text)] == []
    assert [text for text in OTHERS if is_mailbox(text)] == []


@given(st.text("ab.()[]:\\=?_,;<>\"@ \t\x01\x7fé%'`-+/", max_size=24))
def test_a_header_takes_a_mailbox_as_that_one(text):
    if is_mailbox(text):
        mail = EmailMessage()
        mail["To"] = text
        assert [address.addr_spec for address in mail["To"].addresses] == [text]
