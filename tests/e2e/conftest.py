"""One stack for the tests that leave it as it was; those that break something start their own."""

from collections.abc import Iterator

import pytest

from tests.e2e.local_stack import LocalStack, running_stack


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    with running_stack(tmp_path_factory.mktemp("stack") / "state") as running:
        yield running
