"""How many requests of a process are under way: whoever asks for much at once leaves room for others."""

from collections import Counter
from threading import Lock

from flask import Flask, Response, g


class Turns:
    """At most `each` of one at a time, and `most` in all if that is said."""

    def __init__(self, *, each: int, most: int | None = None) -> None:
        self._each, self._most = each, most
        self._lock = Lock()
        self._under_way: Counter[str] = Counter()

    def begin(self, who: str) -> bool:
        """Whether there is room for another one; then `end` is to be called."""
        with self._lock:
            if self._under_way[who] >= self._each:
                return False
            if self._most is not None and self._under_way.total() >= self._most:
                return False
            self._under_way[who] += 1
            return True

    def end(self, who: str) -> None:
        """One is done. Those that have none under way are not kept."""
        with self._lock:
            self._under_way[who] -= 1
            self._under_way += Counter()


def begin_turn(turns: Turns, who: str) -> bool:
    """Whether this request may go on; its turn ends by itself."""
    if not turns.begin(who):
        return False
    g.turn = (turns, who)
    return True


def end_turns(app: Flask) -> None:
    """Ends the turn of a request when its answer is made; a file that is written as it is read has none meanwhile."""

    @app.after_request
    def end(response: Response) -> Response:
        _end()
        return response

    @app.teardown_request
    def end_after_all(_error: BaseException | None) -> None:
        _end()


def _end() -> None:
    if turn := g.pop("turn", None):
        turns, who = turn
        turns.end(who)
