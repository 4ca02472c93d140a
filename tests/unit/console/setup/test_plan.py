from typing import Any

import pytest

from console.errors import InvalidError
from console.setup.document import Desired
from console.setup.plan import Change, Present, plan

DATASET = {"meta_id": "1", "sending": "on", "credential": None, "batch_max": 50}
CHANNEL = {
    "provider": "whapi",
    "dataset": None,
    "unsigned": False,
    "enabled": True,
    "secrets": {"header": "X-Whapi-Token", "token": "secret"},
}


def test_what_is_new_is_added_credentials_before_datasets_before_channels() -> None:
    desired = Desired(
        channels={"c": {"provider": "whapi", "dataset": "d", "secrets": {"token": "s"}}},
        datasets={"d": {"meta_id": "1", "credential": "k"}},
        credentials={"k": "t"},
    )
    assert plan(desired, Present()) == [
        Change("credential", "k", "add", {"token": (None, None)}),
        Change("dataset", "d", "add", {"meta_id": (None, "1"), "credential": (None, "k")}),
        Change(
            "channel",
            "c",
            "add",
            {"provider": (None, "whapi"), "dataset": (None, "d"), "secrets.token": (None, None)},
        ),
    ]


def test_what_is_as_it_should_be_makes_no_change() -> None:
    desired = Desired(
        credentials={"k": "t"},
        datasets={"d": {"meta_id": "1"}},
        channels={"c": {"provider": "whapi", "secrets": {"token": "secret"}}},
    )
    present = Present(credentials={"k": "t"}, datasets={"d": DATASET}, channels={"c": CHANNEL})
    assert plan(desired, present) == []


@pytest.mark.parametrize(
    ("desired", "change"),
    [
        (Desired(credentials={"k": "other"}), Change("credential", "k", "change", {"token": (None, None)})),
        (Desired(datasets={"d": {"meta_id": "2"}}), Change("dataset", "d", "change", {"meta_id": ("1", "2")})),
        (
            Desired(channels={"c": {"provider": "whapi", "secrets": {"token": "new"}}}),
            Change("channel", "c", "change", {"secrets.token": (None, None)}),
        ),
        (
            Desired(channels={"c": {"provider": "whapi", "dataset": "d", "secrets": {}}}),
            Change("channel", "c", "change", {"dataset": (None, "d")}),
        ),
    ],
)
def test_only_the_fields_that_differ_are_in_a_change(desired: Desired, change: Change) -> None:
    present = Present(credentials={"k": "t"}, datasets={"d": DATASET}, channels={"c": CHANNEL})
    assert plan(desired, present) == [change]


def test_prune_stops_what_is_left_out_once() -> None:
    present = Present(datasets={"d": DATASET, "x": {**DATASET, "sending": "off"}}, channels={"c": CHANNEL})
    assert plan(Desired(), present) == []
    assert plan(Desired(), present, prune=True) == [
        Change("channel", "c", "disable", {"enabled": (True, False)}),
        Change("dataset", "d", "disable", {"sending": ("on", "off")}),
    ]


@pytest.mark.parametrize(
    ("desired", "path"),
    [
        (Desired(datasets={"d": {"meta_id": "1", "credential": "nope"}}), "datasets.d.credential"),
        (Desired(channels={"n": {"provider": "whapi", "dataset": "nope", "secrets": {}}}), "channels.n.dataset"),
        (Desired(channels={"c": {"provider": "meta_cloud", "secrets": {}}}), "channels.c.provider"),
        (Desired(channels={"n": {"provider": "meta_cloud", "secrets": {}}}), "channels.n.secrets_env.app_secret"),
        (Desired(channels={"n": {"provider": "whapi", "secrets": {"odd": "x"}}}), "channels.n.secrets_env.odd"),
    ],
)
def test_what_cannot_be_done_is_said_before_anything_is(desired: Desired, path: str) -> None:
    with pytest.raises(InvalidError, match=path):
        plan(desired, Present(channels={"c": CHANNEL}))


def test_no_secret_is_in_a_plan_or_in_the_text_of_what_it_was_made_from() -> None:
    values: dict[str, Any] = {"provider": "whapi", "secrets": {"token": "canary"}}
    desired = Desired(credentials={"k": "canary"}, channels={"c": values})
    assert "canary" not in repr(plan(desired, Present())) + repr(desired)
