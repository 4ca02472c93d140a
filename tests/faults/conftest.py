"""The servers that the scenarios of a test session share."""

from collections.abc import Iterator

import pytest

from tests.faults.servers import Servers


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """Postgres, Valkey, the sandbox and a proxy before each, running."""
    opened = Servers(tmp_path_factory.mktemp("faults"))
    try:
        opened.open()
        yield opened
    finally:
        opened.close()
