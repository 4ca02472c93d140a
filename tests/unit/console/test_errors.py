from console.errors import flatten, invalid


def test_every_message_stands_on_a_line_with_its_path() -> None:
    nested = {
        "datasets": {"acme": {"value": {"meta_id": ["must be digits"], "_schema": ["is odd"]}}},
        "_schema": ["is no mapping"],
        "name": "is missing",
    }
    assert flatten(nested) == [
        "datasets.acme.meta_id: must be digits",
        "datasets.acme: is odd",
        "is no mapping",
        "name: is missing",
    ]
    assert str(invalid("The file", {"a": ["b"]})) == "The file can't be used:\n  a: b"
