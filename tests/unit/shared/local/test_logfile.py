from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from shared.local.logfile import STARTED, LogFile, tail


@given(st.lists(st.binary(min_size=1, max_size=30), max_size=60))
def test_a_log_and_its_predecessor_never_grow_beyond_their_bound_and_keep_the_end(tmp_path_factory, chunks):
    path: Path = tmp_path_factory.mktemp("log") / "worker.log"
    log = LogFile(path, max_bytes=100)
    for chunk in chunks:
        log.write(chunk)
    older = path.with_name("worker.log.1")
    kept = (older.read_bytes() if older.exists() else b"") + path.read_bytes()
    assert path.stat().st_size <= 100
    assert len(kept) <= 200
    assert b"".join(chunks).endswith(kept)
    assert len(kept) >= min(70, len(b"".join(chunks)))


def test_a_log_that_was_there_is_appended_to(tmp_path):
    (tmp_path / "a.log").write_bytes(b"before\n")
    LogFile(tmp_path / "a.log").write(b"after\n")
    assert (tmp_path / "a.log").read_bytes() == b"before\nafter\n"


def test_the_tail_is_of_the_latest_start_only(tmp_path):
    log = tmp_path / "a.log"
    log.write_text(f"old\n{STARTED}one\nolder\n{STARTED}two\n" + "".join(f"{n}\n" for n in range(30)))
    assert tail(log, 3) == ["27", "28", "29"]
    assert tail(log, 100) == [str(n) for n in range(30)]
    assert tail(tmp_path / "none.log") == []
