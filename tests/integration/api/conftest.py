"""The API on a database of the test."""

import pytest

from tests.integration.api.programs import Program
from tests.integration.web.conftest import console_environment, console_role, site  # noqa: F401 - fixtures.
from tests.integration.web.site import Site


@pytest.fixture(name="program")
def make_program(site: Site) -> Program:  # noqa: F811
    """A program with a key of the workspace `default`."""
    return Program(site)
