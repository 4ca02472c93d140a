import socket
import time
from itertools import pairwise

import psycopg
import pytest
from psycopg import errors

from receiver.postgres import Away, BadRow, Postgres, is_data_error
from tests.unit.receiver.makers import webhook

DATA = [
    errors.UntranslatableCharacter,
    errors.InvalidTextRepresentation,
    errors.DatetimeFieldOverflow,
    errors.CheckViolation,
    errors.NotNullViolation,
    psycopg.DataError,
]
INFRASTRUCTURE = [
    psycopg.OperationalError,
    errors.ConnectionFailure,
    errors.TooManyConnections,
    errors.DiskFull,
    errors.QueryCanceled,
    errors.AdminShutdown,
    errors.CannotConnectNow,
    errors.ReadOnlySqlTransaction,
    errors.DeadlockDetected,
    errors.InsufficientPrivilege,
    errors.UndefinedTable,
    errors.InternalError_,
]


class FakeConnection:
    """Raises `error` on every statement."""

    closed = False

    def __init__(self, error: Exception) -> None:
        self.error = error

    def execute(self, *args: object) -> None:
        raise self.error

    def close(self) -> None:
        self.closed = True


@pytest.mark.parametrize("error", DATA)
def test_an_error_in_the_data_blames_the_row(error: type[psycopg.Error]) -> None:
    assert is_data_error(error("x"))
    postgres = Postgres("", connect=lambda *args, **kwargs: FakeConnection(error("secret")))  # type: ignore[arg-type,return-value]
    postgres._connect()
    with pytest.raises(BadRow) as raised:
        postgres.insert([webhook()])
    assert "secret" not in str(raised.value)
    assert postgres.up


@pytest.mark.parametrize("error", INFRASTRUCTURE)
def test_any_other_error_leaves_postgres_alone_for_a_while(error: type[psycopg.Error]) -> None:
    assert not is_data_error(error("x"))
    connection = FakeConnection(error("x"))
    postgres = Postgres("", connect=lambda *args, **kwargs: connection)  # type: ignore[arg-type,return-value]
    postgres._connect()
    with pytest.raises(Away):
        postgres.insert([webhook()])
    assert not postgres.up
    assert connection.closed
    with pytest.raises(Away):
        postgres.insert([webhook()])


def test_text_that_has_no_utf8_form_blames_the_row() -> None:
    error = UnicodeEncodeError("utf-8", "\ud800", 0, 1, "surrogates not allowed")
    postgres = Postgres("", connect=lambda *args, **kwargs: FakeConnection(error))  # type: ignore[arg-type,return-value]
    postgres._connect()
    with pytest.raises(BadRow):
        postgres.insert([webhook()])


def test_it_connects_again_after_the_rest_and_not_before() -> None:
    tries: list[float] = []

    def connect(*args: object, **kwargs: object) -> FakeConnection:
        tries.append(time.monotonic())
        if len(tries) < 3:
            raise psycopg.OperationalError("refused")
        return FakeConnection(psycopg.OperationalError("x"))

    postgres = Postgres("", connect=connect, rest_seconds=0.1)  # type: ignore[arg-type]
    postgres.start()
    try:
        deadline = time.monotonic() + 5
        while not postgres.up and time.monotonic() < deadline:
            time.sleep(0.01)
        assert postgres.up
    finally:
        postgres.close()
    assert all(later - earlier >= 0.1 for earlier, later in pairwise(tries))


def test_a_server_that_does_not_answer_is_cut_off() -> None:
    ours, theirs = socket.socketpair()

    class Stuck(FakeConnection):
        def execute(self, *args: object) -> None:
            ours.settimeout(5)
            if ours.recv(1) == b"":
                raise psycopg.OperationalError("connection closed")

        def fileno(self) -> int:
            return ours.fileno()

    stuck = Stuck(psycopg.OperationalError("x"))
    postgres = Postgres("", connect=lambda *args, **kwargs: stuck, cut_seconds=0.1)  # type: ignore[arg-type,return-value]
    postgres.start()
    try:
        began = time.monotonic()
        with pytest.raises(Away):
            postgres.insert([webhook()])
        assert 0.1 <= time.monotonic() - began < 2
    finally:
        postgres.close()
        ours.close()
        theirs.close()
