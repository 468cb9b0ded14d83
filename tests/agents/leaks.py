"""Looking for planted secrets in bytes: plain, JSON-escaped, percent-encoded, base64 at any alignment, compressed, wide."""

from __future__ import annotations

import base64
import re
import zlib
from collections.abc import Iterator
from urllib.parse import quote

_BASE64 = re.compile(rb"[A-Za-z0-9+/]{16,}={0,2}")
_ZLIB_STARTS = tuple(bytes([0x78 - 0x10 * i]) for i in range(7))  # windows of 2^15 down to 2^9


def forms(secret: str) -> Iterator[bytes]:
    """Byte strings of which one is in any text that holds ``secret``."""
    utf8 = secret.encode()
    yield utf8
    yield secret.encode("utf-16-le")
    yield secret.encode("unicode_escape")
    yield "".join(f"\\u{ord(c):04X}" for c in secret).encode()
    yield quote(secret).encode() if not secret.isascii() else utf8
    for shift in range(3):
        # Whole groups only: what comes before and after is not known.
        text = base64.b64encode(b"\0" * shift + utf8)
        yield text[4 if shift else 0 : len(text) // 4 * 4 - 4]


def layers(blob: bytes, depth: int = 2) -> Iterator[bytes]:
    """``blob``, and what it holds packed: base64 texts and zlib streams in it, and in those again."""
    yield blob
    if depth == 0:
        return
    for found in _BASE64.finditer(blob):
        text = found[0].rstrip(b"=")
        yield from layers(base64.b64decode(text + b"=" * (-len(text) % 4)) if len(text) % 4 != 1 else b"", depth - 1)
    for start in _ZLIB_STARTS:
        at = blob.find(start)
        while at >= 0:
            try:
                yield from layers(zlib.decompressobj().decompress(blob[at:], 1 << 20), depth - 1)
            except zlib.error:
                pass
            at = blob.find(start, at + 1)


def leaks(blob: bytes, secret: str) -> bool:
    """Whether ``secret`` can be read from ``blob`` without a key."""
    wanted = [form for form in forms(secret) if len(form) >= 8]
    return any(form in layer for layer in layers(blob) for form in wanted)
