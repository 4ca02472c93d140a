from hypothesis import given
from hypothesis import strategies as st

from receiver.frames import MARKER, Damage, Frame, decode_frames, encode_frame

#: Sealed records are url-safe base64.
records = st.lists(st.binary(max_size=60).map(lambda data: data.hex().encode()), max_size=8)


def read(data: bytes) -> tuple[list[bytes], list[Damage]]:
    parts = list(decode_frames(data))
    return [part.record for part in parts if isinstance(part, Frame)], [p for p in parts if isinstance(p, Damage)]


@given(records)
def test_what_was_written_is_read_in_order(records: list[bytes]) -> None:
    assert read(b"".join(map(encode_frame, records))) == (records, [])


@given(records, st.data())
def test_a_cut_file_loses_only_its_tail_and_says_so(records: list[bytes], data: st.DataObject) -> None:
    frames = [encode_frame(record) for record in records]
    whole = b"".join(frames)
    cut = data.draw(st.integers(0, len(whole)))
    found, damage = read(whole[:cut])
    kept = 0
    while kept < len(frames) and len(b"".join(frames[: kept + 1])) <= cut:
        kept += 1
    assert found == records[:kept]
    torn = cut - len(b"".join(frames[:kept]))
    assert [(part.end - part.start, part.torn) for part in damage] == ([(torn, True)] if torn else [])


@given(records.filter(bool), st.data())
def test_a_flipped_bit_loses_only_its_record_and_says_so(records: list[bytes], data: st.DataObject) -> None:
    frames = [encode_frame(record) for record in records]
    whole = bytearray(b"".join(frames))
    position = data.draw(st.integers(0, len(whole) - 1))
    whole[position] ^= 1 << data.draw(st.integers(0, 7))
    hit = next(n for n in range(len(frames)) if position < len(b"".join(frames[: n + 1])))
    found, damage = read(bytes(whole))
    assert found == records[:hit] + records[hit + 1 :]
    assert [part.end - part.start for part in damage] == [len(frames[hit])]
    assert damage[0].torn == (hit == len(frames) - 1)


@given(st.binary(max_size=300))
def test_no_bytes_at_all_break_the_reader(data: bytes) -> None:
    parts = list(decode_frames(data))
    assert sum(part.end - part.start for part in parts if isinstance(part, Damage)) <= len(data)


def test_an_absurd_length_is_damage_and_no_allocation() -> None:
    good = encode_frame(b"good")
    found, damage = read(MARKER + b"\xff" * 8 + good)
    assert found == [b"good"]
    assert [(part.start, part.end) for part in damage] == [(0, 12)]
