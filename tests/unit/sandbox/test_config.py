from typing import Any

import pytest

from sandbox.config import DEMO, ConfigError, apply
from sandbox.world import Dataset, World, digest

SECRET = "synthetic-token-for-tests"


def test_the_demo_configuration_is_valid() -> None:
    world = apply(DEMO, World())
    assert {dataset.era for dataset in world.datasets.values()} == {"current", "guide"}
    assert world.token("sandbox-token") is not None


def test_a_second_document_adds_and_replaces() -> None:
    first = {
        "datasets": [{"id": "111", "waba_id": "501"}, {"id": "222"}],
        "tokens": [{"token": SECRET}],
        "click_ids": {"bad": ["bad-click-id-000000001"]},
    }
    second: dict[str, Any] = {
        "datasets": [{"id": "222", "era": "guide"}, {"id": "333"}],
        "tokens": [{"token": SECRET, "state": "revoked", "datasets": ["333"]}],
        "click_ids": {"strict": True, "bad": ["bad-click-id-000000002"]},
    }
    world = apply(second, apply(first, World()))
    assert {dataset.id: dataset.era for dataset in world.datasets.values()} == {
        "111": "current",
        "222": "guide",
        "333": "current",
    }
    token = world.token(SECRET)
    assert token is not None
    assert token.state == "revoked"
    assert token.may_use("333")
    assert not token.may_use("111")
    assert world.clicks.strict
    assert len(world.clicks.bad) == 2


def test_a_token_may_use_every_dataset_unless_some_are_named() -> None:
    token = apply({"tokens": [{"token": SECRET}]}, World()).token(SECRET)
    assert token is not None
    assert token.may_use("any")


def test_a_document_changes_only_what_it_names() -> None:
    world = apply({"click_ids": {"strict": True}, "usage_percent": 80}, World())
    same = apply({}, world)
    assert same == world


@pytest.mark.parametrize(
    ("document", "place"),
    [
        ([], "_schema"),
        ({"dataset": []}, "dataset"),
        ({"datasets": [{"name": "no id"}]}, "datasets"),
        ({"datasets": [{"id": 111}]}, "datasets"),
        ({"datasets": [{"id": "abc"}]}, "datasets"),
        ({"datasets": [{"id": "111", "era": "future"}]}, "datasets"),
        ({"datasets": [{"id": "111", "waba_id": "501"}, {"id": "222", "waba_id": "501"}]}, "datasets"),
        ({"tokens": [{"token": SECRET, "state": "dead"}]}, "tokens"),
        ({"tokens": [{"token": ""}]}, "tokens"),
        ({"click_ids": {"strict": "yes"}}, "click_ids"),
        ({"click_ids": {"registered": [{"value": "x", "clicked_at": "2026-11-22T10:00:00"}]}}, "click_ids"),
        ({"usage_percent": 101}, "usage_percent"),
    ],
)
def test_a_wrong_document_is_refused_with_the_place_and_without_its_secrets(document: object, place: str) -> None:
    with pytest.raises(ConfigError) as caught:
        apply(document, World())
    assert place in caught.value.problems
    assert SECRET not in f"{caught.value} {caught.value.problems}"


def test_every_error_is_told_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        apply({"datasets": [{"id": "x"}], "tokens": [{}], "usage_percent": -1}, World())
    assert set(caught.value.problems) == {"datasets", "tokens", "usage_percent"}


def test_secrets_are_kept_as_digests_only() -> None:
    world = apply(
        {
            "tokens": [{"token": SECRET, "app_secret": "synthetic-app-secret"}],
            "click_ids": {"bad": ["bad-click-id-000000001"], "registered": [{"value": "good-click-id-00001"}]},
        },
        World(),
    )
    for secret in (SECRET, "synthetic-app-secret", "bad-click-id-000000001", "good-click-id-00001"):
        assert secret not in repr(world)
    assert digest(SECRET) in world.tokens


def test_a_new_dataset_belongs_to_the_token_that_made_it() -> None:
    world = apply({"tokens": [{"token": SECRET, "datasets": ["111"]}]}, World())
    maker = world.token(SECRET)
    assert maker is not None
    token = world.with_dataset(Dataset("222", "new"), made_by=maker).token(SECRET)
    assert token is not None
    assert token.may_use("222")
    assert token.may_use("111")
