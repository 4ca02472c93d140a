import pytest

from console.webhooks import readable_body


@pytest.mark.parametrize(
    ("body", "content_type", "shown"),
    [
        (b'{"a": 1, "token": "x"}', "application/json", {"a": 1, "token": "[removed]"}),
        (b'{"a": 1}', "", {"a": 1}),
        (
            b"Body=hi&From=whatsapp",
            "application/x-www-form-urlencoded; charset=utf-8",
            {"Body": "hi", "From": "whatsapp"},
        ),
        (b"plain words", "text/plain", "plain words"),
        (b"\xff\xfe", "", "��"),
        (b"[" * 100_000, "application/json", "[" * 200 + "… [100000 characters]"),
        (b"", "", ""),
    ],
)
def test_a_body_is_shown_in_the_best_form_it_has(body: bytes, content_type: str, shown: object) -> None:
    assert readable_body(body, content_type) == shown
