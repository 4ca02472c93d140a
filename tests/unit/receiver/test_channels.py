import stat
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from receiver.channels import Channels
from receiver.known import LOOK_AGAIN_SECONDS
from shared.crypto import KeyRing, generate_key
from shared.db.channels import DoorChannel, seal_secrets
from tests.unit.receiver.makers import KEY, RING, SECRETS, TOKEN


def row(
    *, key: str = KEY, provider: str = "whapi", ring: KeyRing = RING, enabled: bool = True, channel_id: int = 7
) -> DoorChannel:
    return DoorChannel(
        id=channel_id,
        key=key,
        provider=provider,
        secrets=seal_secrets(ring, SECRETS["whapi"]),
        unsigned=False,
        enabled=enabled,
    )


class Source:
    """The channels table; `away` when Postgres is."""

    def __init__(self, *rows: DoorChannel, away: bool = False) -> None:
        self.rows = list(rows)
        self.away = away
        self.reads = 0

    def __call__(self) -> list[DoorChannel]:
        self.reads += 1
        if self.away:
            raise psycopg.OperationalError("connection refused")
        return list(self.rows)


def make_channels(
    source: Source,
    folder: Path,
    *,
    ring: KeyRing = RING,
    refresh_seconds: float = 60,
    clock: Callable[[], float] | None = None,
) -> Channels:
    extra = {} if clock is None else {"clock": clock}
    return Channels(read=source, ring=ring, folder=folder, refresh_seconds=refresh_seconds, **extra)  # type: ignore[arg-type]


def test_a_channel_is_known_by_its_key_with_its_secrets_opened(tmp_path: Path) -> None:
    channels = make_channels(Source(row()), tmp_path)
    channels.refresh()
    channel = channels.get(KEY)
    assert channel is not None
    assert (channel.id, channel.provider.name, channel.secrets) == (7, "whapi", SECRETS["whapi"])
    assert channels.get("another-key-0000000000") is None


def test_a_changed_channel_is_read_again_and_a_deleted_one_forgotten(tmp_path: Path) -> None:
    source = Source(row(), row(channel_id=8, key="second-channel-0000000"))
    channels = make_channels(source, tmp_path)
    channels.refresh()
    before = channels.get(KEY)
    source.rows = [row(enabled=False)]
    channels.refresh()
    after = channels.get(KEY)
    assert before is not None
    assert after is not None
    assert (before.enabled, after.enabled) == (True, False)
    assert channels.get("second-channel-0000000") is None


def test_what_is_known_stays_while_postgres_is_away(tmp_path: Path) -> None:
    source = Source(row())
    channels = make_channels(source, tmp_path)
    channels.refresh()
    source.away = True
    channels.refresh()
    assert channels.known
    assert not channels.fresh
    assert channels.get(KEY) is not None


def test_a_cold_start_without_postgres_uses_the_sealed_copy(tmp_path: Path) -> None:
    make_channels(Source(row()), tmp_path).refresh()
    copy = tmp_path / Channels.copy_name
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    for secret in (KEY, TOKEN):
        assert secret.encode() not in copy.read_bytes()
    channels = make_channels(Source(away=True), tmp_path)
    channels.start()
    channels.close()
    channel = channels.get(KEY)
    assert channel is not None
    assert channel.secrets == SECRETS["whapi"]


@pytest.mark.parametrize("copy", [None, b"", b"garbage", RING.seal(b"7"), RING.seal(b'[{"id": 1}]')])
def test_without_a_usable_copy_no_channel_is_known_rather_than_unknown(tmp_path: Path, copy: bytes | None) -> None:
    if copy is not None:
        (tmp_path / Channels.copy_name).write_bytes(copy)
    channels = make_channels(Source(away=True), tmp_path)
    channels.start()
    channels.close()
    assert channels.get(KEY) is None
    assert not channels.known


def test_a_channel_whose_secrets_cannot_be_opened_is_there_without_them(tmp_path: Path) -> None:
    other = KeyRing([generate_key()], name="SECRET_KEYS")
    channels = make_channels(Source(row(ring=other)), tmp_path)
    channels.refresh()
    channel = channels.get(KEY)
    assert channel is not None
    assert channel.secrets is None


def test_a_channel_of_an_unknown_provider_hides_no_other(tmp_path: Path) -> None:
    channels = make_channels(Source(row(channel_id=1, key="odd-channel-00000000", provider="fax"), row()), tmp_path)
    channels.refresh()
    assert channels.get(KEY) is not None
    assert channels.get("odd-channel-00000000") is None


def test_an_unknown_key_has_the_channels_read_at_once_but_once_a_second_at_most(tmp_path: Path) -> None:
    now = [100.0]
    source = Source()
    channels = make_channels(source, tmp_path, clock=lambda: now[0])
    channels.start()
    try:
        now[0] += LOOK_AGAIN_SECONDS
        source.rows = [row()]
        looking = channels.look_again()
        assert looking is not None
        looking.result(timeout=5)
        assert channels.get(KEY) is not None
        assert source.reads == 2
        assert channels.look_again() is None
        now[0] += LOOK_AGAIN_SECONDS
        assert channels.look_again() is not None
    finally:
        channels.close()
