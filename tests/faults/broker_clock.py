"""A Kafka broker whose wall clock is off by as much as a test says. Not for: the machine's clock, which nobody touches.

Kafka takes the time from one class of its own, ``SystemTime``. A copy of it whose ``milliseconds`` adds a constant is put
before Kafka's on the class path of the next broker that starts; two brokers started with different constants, one after
the other on the same data, are a broker whose clock was set back (or forward) between them. Append times follow it.
"""

from __future__ import annotations

import contextlib
import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from streamer.local import artifacts

CLASS: Final = "org/apache/kafka/common/utils/SystemTime.class"
CLIENTS: Final = "kafka-clients-"
# The Java Virtual Machine Specification, chapters 4.4 (constants: bytes after the tag), 4.7.3 (Code) and 6.5.
_CONSTANT_BYTES: Final = {
    3: 4,
    4: 4,
    5: 8,
    6: 8,
    7: 2,
    8: 2,
    9: 4,
    10: 4,
    11: 4,
    12: 4,
    15: 3,
    16: 2,
    17: 4,
    18: 4,
    19: 2,
    20: 2,
}
_UTF8, _LONG, _DOUBLE = 1, 5, 6
_INVOKESTATIC, _LDC2_W, _LADD, _LRETURN = b"\xb8", b"\x14", b"\x61", b"\xad"
_POOL_AT: Final = 8
PAIR_BYTES: Final = 4


@contextlib.contextmanager
def off_by(seconds: int, folder: Path) -> Iterator[None]:
    """Brokers started inside have a wall clock that is ``seconds`` ahead (or behind, below 0)."""
    real = artifacts.class_path

    def patched(say: artifacts.Say) -> list[Path]:
        jars = real(say)
        clients = next(path for path in jars if path.name.startswith(CLIENTS))
        target = folder / f"clock{seconds:+d}"
        (target / CLASS).parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(clients) as archive:
            (target / CLASS).write_bytes(shifted(archive.read(CLASS), seconds * 1000))
        return [target, *jars]

    artifacts.class_path = patched
    try:
        yield
    finally:
        artifacts.class_path = real


def shifted(code: bytes, shift_ms: int) -> bytes:
    """``SystemTime`` with ``System.currentTimeMillis() + shift_ms`` in place of ``System.currentTimeMillis()``."""
    count = struct.unpack_from(">H", code, _POOL_AT)[0]
    method, end = _current_time_millis(code, count)
    was = struct.pack(">HHI", 2, 1, 4) + _INVOKESTATIC + struct.pack(">H", method) + _LRETURN
    at = code.index(was)
    now = struct.pack(">HHI", 4, 1, 8) + was[8:11] + _LDC2_W + struct.pack(">H", count) + _LADD + _LRETURN + bytes(4)
    after = (
        at + struct.unpack_from(">I", code, at - 4)[0]
    )  # with its tables of lines and variables: nobody asks for them
    pool = struct.pack(">H", count + 2) + code[_POOL_AT + 2 : end] + struct.pack(">Bq", _LONG, shift_ms)
    return code[:_POOL_AT] + pool + code[end : at - 4] + struct.pack(">I", len(now)) + now + code[after:]


def _current_time_millis(code: bytes, count: int) -> tuple[int, int]:
    """The constant that names the method, and where the constants end."""
    texts: dict[int, bytes] = {}
    pairs: dict[int, tuple[int, int]] = {}
    index, at = 1, _POOL_AT + 2
    while index < count:
        tag = code[at]
        if tag == _UTF8:
            size = 2 + struct.unpack_from(">H", code, at + 1)[0]
            texts[index] = code[at + 3 : at + 1 + size]
        else:
            size = _CONSTANT_BYTES[tag]
            if size == PAIR_BYTES:
                pairs[index] = struct.unpack_from(">HH", code, at + 1)
        index += 2 if tag in (_LONG, _DOUBLE) else 1
        at += 1 + size
    name = next(i for i, text in texts.items() if text == b"currentTimeMillis")
    named = next(i for i, pair in pairs.items() if pair[0] == name)  # a NameAndType
    return next(i for i, pair in pairs.items() if pair[1] == named), at
