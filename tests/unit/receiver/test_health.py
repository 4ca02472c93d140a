import json

import pytest

from receiver.health import Readiness


@pytest.mark.parametrize(
    ("postgres", "spool", "channels", "ready", "sink"),
    [
        (True, True, True, True, "postgres"),
        (False, True, True, True, "spool"),
        (True, False, True, True, "postgres"),
        (False, False, True, False, None),
        (True, True, False, False, "postgres"),
    ],
)
def test_ready_is_channels_known_and_one_durable_sink(
    postgres: bool, spool: bool, channels: bool, ready: bool, sink: str | None
) -> None:
    readiness = Readiness(postgres=lambda: postgres, spool=lambda: spool, channels=lambda: channels)
    state = json.loads(readiness.state().as_json())
    assert (state["ready"], state["sink"]) == (ready, sink)


def test_it_is_looked_at_once_a_second_at_most() -> None:
    looks: list[float] = []
    now = [0.0]
    readiness = Readiness(
        postgres=lambda: bool(looks.append(now[0]) or True),
        spool=lambda: True,
        channels=lambda: True,
        clock=lambda: now[0],
    )
    for moment in (0.0, 0.5, 0.9, 1.0, 1.5, 2.1):
        now[0] = moment
        readiness.state()
    assert looks == [0.0, 1.0, 2.1]
