"""Sealing (封存): AES-256-GCM for what must not travel in the clear, the same bytes for the same input.

Not for: keeping or making keys. The nonce is an HMAC of what is sealed, so that a message sent again is byte-identical
and no nonce is ever used for two plaintexts; who holds no key learns at most that two sealed bodies are equal.
"""

from __future__ import annotations

import zlib
from hashlib import sha256
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

KEY_BYTES: Final = 32
VERSION: Final = 1
KEY_ID_BYTES: Final = 4
NONCE_BYTES: Final = 12
_TAG_BYTES: Final = 16
_HEADER_BYTES: Final = 1 + KEY_ID_BYTES
_COMPRESSION_LEVEL: Final = 1
COMPRESS_FROM_BYTES: Final = 512
_PLAIN: Final = b"\0"
_ZLIB: Final = b"\1"
_KEY_WANTED: Final = "give 64 hexadecimal digits in STREAMER_SEAL_KEY or its file"
MAX_OPENED_BYTES: Final = 64 * 1024 * 1024  # a sealed body that unpacks to more is not one of ours


class SealError(Exception):
    """A sealed body that cannot be opened, or a key that cannot be used."""


class Sealer:
    """Seals and opens under one key. Bytes: version 1, key id 4, nonce 12, then ciphertext with its tag.

    Inside: one byte (0 as it is, 1 zlib), then the body.
    """

    def __init__(self, key: bytes) -> None:
        """``key``: 32 random bytes. Raises SealError for any other length."""
        if len(key) != KEY_BYTES:
            raise SealError(f"the sealing key has {len(key)} bytes, not {KEY_BYTES}: {_KEY_WANTED}")
        self._cipher = AESGCM(_derive(key, b"credit seal: encrypt"))
        self._nonces = _Hmac(_derive(key, b"credit seal: nonce"))
        self.key_id: Final = _derive(key, b"credit seal: key id")[:KEY_ID_BYTES]
        self._header = bytes([VERSION]) + self.key_id

    @classmethod
    def from_hex(cls, text: str) -> Sealer:
        """A sealer from 64 hexadecimal digits. Raises SealError, never with the text in it."""
        try:
            key = bytes.fromhex(text.strip())
        except ValueError:
            raise SealError(f"the sealing key is not hexadecimal: {_KEY_WANTED}") from None
        return cls(key)

    def seal(self, plain: bytes, aad: bytes) -> bytes:
        """``plain`` compressed and sealed; ``aad`` (what the body belongs to) must be given again to open it."""
        bound = self._header + aad
        packed = _pack(plain)
        # The length comes first, so that no other split of aad and plaintext gives the same nonce.
        nonce = self._nonces.digest(len(bound).to_bytes(4, "big") + bound + packed)[:NONCE_BYTES]
        return self._header + nonce + self._cipher.encrypt(nonce, packed, bound)

    def open(self, sealed: bytes, aad: bytes) -> bytes:
        """What ``seal`` was given. Raises SealError: other version, other key, other ``aad``, or changed bytes."""
        if len(sealed) < _HEADER_BYTES + NONCE_BYTES + _TAG_BYTES:
            raise SealError("a sealed body is too short: it was cut, or it is not one")
        if sealed[0] != VERSION:
            raise SealError(f"a sealed body has version {sealed[0]}, this program reads version {VERSION}")
        if sealed[1:_HEADER_BYTES] != self.key_id:
            raise SealError(
                f"a sealed body was sealed under key {sealed[1:_HEADER_BYTES].hex()}, this is key {self.key_id.hex()}: "
                "give the key it was sealed with in STREAMER_SEAL_KEY"
            )
        nonce = sealed[_HEADER_BYTES : _HEADER_BYTES + NONCE_BYTES]
        try:
            packed = self._cipher.decrypt(nonce, sealed[_HEADER_BYTES + NONCE_BYTES :], self._header + aad)
        except InvalidTag:
            raise SealError("a sealed body does not open: it was changed, or it belongs to another item") from None
        return _unpack(packed)


class _Hmac:
    """HMAC-SHA-256 (RFC 2104) under one key, which is hashed once: OpenSSL's one-shot call looks its algorithm up each time,
    and that took longer than the sealing itself."""

    def __init__(self, key: bytes) -> None:
        """``key``: at most a block of the hash."""
        block = key.ljust(sha256().block_size, b"\0")
        self._inner = sha256(bytes(byte ^ 0x36 for byte in block))
        self._outer = sha256(bytes(byte ^ 0x5C for byte in block))

    def digest(self, message: bytes) -> bytes:
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(message)
        outer.update(inner.digest())
        return outer.digest()


def record_aad(source: str, event_id: str, org_code: str) -> bytes:
    """What the sealed part of a record belongs to: all of it stands in the record itself."""
    return f"{source}\0{event_id}\0{org_code}".encode()


def dead_letter_aad(origin: str) -> bytes:
    """What the sealed original in a dead letter belongs to: its item of account as text."""
    return origin.encode()


def _pack(plain: bytes) -> bytes:
    """Short texts hardly shrink, and cost more than the sealing itself: they stay as they are."""
    if len(plain) < COMPRESS_FROM_BYTES:
        return _PLAIN + plain
    # A window as small as the body: clearing a large one costs ten times what packing does.
    return _ZLIB + zlib.compress(plain, _COMPRESSION_LEVEL, min(15, max(9, len(plain).bit_length())))


def _unpack(packed: bytes) -> bytes:
    if packed[:1] == _PLAIN:
        return packed[1:]
    unpacker = zlib.decompressobj()
    plain = unpacker.decompress(packed[1:], MAX_OPENED_BYTES)
    if not unpacker.eof:
        raise SealError(f"a sealed body unpacks to more than {MAX_OPENED_BYTES} bytes")
    return plain


def _derive(key: bytes, purpose: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=purpose).derive(key)
