import threading
import time

from receiver.ringer import Ringer
from shared.queue import Work


class FakeBell:
    """Counts rings; `frozen` is a Redis that doesn't answer, `broken` one that fails in a way nobody foresaw."""

    def __init__(self, *, broken: bool = False) -> None:
        self.rings = 0
        self.broken = broken
        self.thaw = threading.Event()
        self.thaw.set()

    def ring(self, work: Work) -> bool:
        self.rings += 1
        assert work is Work.INTAKE
        assert self.thaw.wait(10)
        if self.broken:
            raise RuntimeError("odd")
        return True


def wait_for_rings(bell: FakeBell, rings: int) -> None:
    deadline = time.monotonic() + 5
    while bell.rings < rings:
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_asking_never_waits_for_redis_and_many_askings_are_few_rings() -> None:
    bell = FakeBell()
    bell.thaw.clear()
    ringer = Ringer(bell, pause_seconds=0.01)  # type: ignore[arg-type]
    ringer.start()
    began = time.monotonic()
    ringer.ask()
    wait_for_rings(bell, 1)
    for _ in range(1000):
        ringer.ask()
    assert time.monotonic() - began < 2
    bell.thaw.set()
    wait_for_rings(bell, 2)
    ringer.close()
    assert bell.rings <= 3


def test_a_broken_bell_is_rung_again_next_time() -> None:
    bell = FakeBell(broken=True)
    ringer = Ringer(bell, pause_seconds=0)  # type: ignore[arg-type]
    ringer.start()
    ringer.ask()
    wait_for_rings(bell, 1)
    ringer.ask()
    wait_for_rings(bell, 2)
    ringer.close()
