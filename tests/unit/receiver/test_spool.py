import errno
import fcntl
import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from receiver.frames import Frame, decode_frames
from receiver.spool import SUFFIX, Spool, SpoolFull, count_spool, decode_webhook, encode_webhook
from shared.db.webhooks import NewWebhook
from tests.unit.receiver.makers import RING, webhook


def make_spool(folder: Path, *, max_bytes: int = 10**6, rotate_bytes: int = 10**6) -> Spool:
    spool = Spool(folder / "spool", ring=RING, max_bytes=max_bytes, rotate_bytes=rotate_bytes)
    spool.prepare()
    return spool


def files(spool: Spool) -> list[Path]:
    return sorted(spool.folder.glob(f"*{SUFFIX}"))


def read(path: Path) -> list[NewWebhook]:
    parts = list(decode_frames(path.read_bytes()))
    assert all(isinstance(part, Frame) for part in parts)
    return [decode_webhook(RING.open(part.record)) for part in parts if isinstance(part, Frame)]


@given(st.binary(max_size=200), st.text(st.characters(codec="utf-8"), max_size=50))
def test_a_spooled_webhook_is_read_as_it_was(body: bytes, query: str) -> None:
    one = webhook(body=body, query=query)
    again = decode_webhook(encode_webhook(one))
    assert vars_of(again) == vars_of(one)


def vars_of(webhook: NewWebhook) -> dict[str, object]:
    return {name: getattr(webhook, name) for name in webhook.__dataclass_fields__}


def test_what_is_appended_is_sealed_and_in_order(tmp_path: Path) -> None:
    spool = make_spool(tmp_path)
    webhooks = [webhook(query=f"person={number}") for number in range(5)]
    spool.append(webhooks[:2])
    spool.append(webhooks[2:])
    (path,) = files(spool)
    assert [one.id for one in read(path)] == [one.id for one in webhooks]
    assert b"person" not in path.read_bytes()


def test_only_we_may_read_it(tmp_path: Path) -> None:
    spool = make_spool(tmp_path)
    spool.append([webhook()])
    (path,) = files(spool)
    assert stat.S_IMODE(spool.folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_it_is_on_the_disk_before_append_returns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spool = make_spool(tmp_path)
    calls: list[str] = []
    write, sync = os.write, os.fdatasync
    monkeypatch.setattr(os, "write", lambda fd, data: (calls.append("write"), write(fd, data))[1])
    monkeypatch.setattr(os, "fdatasync", lambda fd: (calls.append("sync"), sync(fd))[1])
    spool.append([webhook() for _ in range(30)])
    assert calls[-1] == "sync"
    assert calls.count("sync") == 1


def test_a_file_is_locked_while_its_process_appends_to_it(tmp_path: Path) -> None:
    spool = make_spool(tmp_path)
    spool.append([webhook()])
    (path,) = files(spool)
    with path.open("rb") as other:
        with pytest.raises(BlockingIOError):
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        spool.hand_over()
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_a_full_spool_takes_nothing_of_a_batch(tmp_path: Path) -> None:
    spool = make_spool(tmp_path, max_bytes=5000)
    spool.append([webhook()])
    size = count_spool(spool.folder).bytes
    with pytest.raises(SpoolFull):
        spool.append([webhook(body=bytes(100)) for _ in range(50)])
    assert count_spool(spool.folder).bytes == size
    spool.append([webhook()])


def test_the_budget_is_for_all_processes_of_the_host_together(tmp_path: Path) -> None:
    first, second = make_spool(tmp_path, max_bytes=3000), make_spool(tmp_path, max_bytes=3000)
    first.append([webhook(body=bytes(900))])
    with pytest.raises(SpoolFull):
        second.append([webhook(body=bytes(900))])


def test_a_large_file_is_handed_over_and_another_begun(tmp_path: Path) -> None:
    spool = make_spool(tmp_path, rotate_bytes=1)
    spool.append([webhook()])
    spool.append([webhook()])
    assert len(files(spool)) == 2
    for path in files(spool):
        with path.open("rb") as other:
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_a_disk_that_takes_half_a_batch_keeps_none_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spool = make_spool(tmp_path)
    kept = webhook()
    spool.append([kept])
    write = os.write

    def half(fd: int, data: memoryview) -> int:
        if len(data) > 100:
            return write(fd, data[:100])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", half)
    with pytest.raises(SpoolFull, match="No space left"):
        spool.append([webhook(body=bytes(50))])
    monkeypatch.undo()
    after = webhook()
    spool.append([after])
    (path,) = files(spool)
    assert [one.id for one in read(path)] == [kept.id, after.id]
