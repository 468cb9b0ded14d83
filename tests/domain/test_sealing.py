"""What is sealed opens with its key and its owner only, and twice sealed is byte-identical."""

import hmac

import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import given
from hypothesis import strategies as st

from streamer.domain.sealing import Sealer, SealError

SEALER = Sealer.from_hex("11" * 32)
OTHER = Sealer.from_hex("22" * 32)


@given(st.binary(max_size=2000), st.binary(max_size=60))
def test_what_is_sealed_opens(plain, aad):
    sealed = SEALER.seal(plain, aad)
    assert SEALER.open(sealed, aad) == plain
    assert SEALER.seal(plain, aad) == sealed
    assert Sealer(bytes.fromhex("11" * 32)).seal(plain, aad) == sealed


@given(st.binary(max_size=60), st.binary(max_size=60), st.binary(max_size=10), st.binary(max_size=10))
def test_no_nonce_twice_for_two_inputs(plain, other, aad, other_aad):
    same = (plain, aad) == (other, other_aad)
    assert (SEALER.seal(plain, aad)[5:17] == SEALER.seal(other, other_aad)[5:17]) is same


@given(st.binary(max_size=600), st.binary(max_size=60))
def test_the_nonce_is_an_hmac_of_what_is_sealed(plain, aad):
    key = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"credit seal: nonce").derive(bytes.fromhex("11" * 32))
    sealed = SEALER.seal(plain, aad)
    bound = sealed[:5] + aad
    packed = SEALER._cipher.decrypt(sealed[5:17], sealed[17:], bound)
    assert sealed[5:17] == hmac.digest(key, len(bound).to_bytes(4, "big") + bound + packed, "sha256")[:12]


def test_another_key_says_so():
    with pytest.raises(SealError, match=r"sealed under key .* STREAMER_SEAL_KEY"):
        OTHER.open(SEALER.seal(b"x", b"a"), b"a")


def test_another_owner_does_not_open_it():
    with pytest.raises(SealError, match="belongs to another item"):
        SEALER.open(SEALER.seal(b"x", b"a"), b"b")


@pytest.mark.parametrize("position", range(0, 60, 7))
def test_a_changed_byte_is_noticed(position):
    sealed = bytearray(SEALER.seal(b"plain text " * 5, b"a"))
    sealed[position % len(sealed)] ^= 1
    with pytest.raises(SealError):
        SEALER.open(bytes(sealed), b"a")


@pytest.mark.parametrize("sealed", [b"", b"\x01", b"\x02" + b"\0" * 60])
def test_what_is_not_sealed_does_not_open(sealed):
    with pytest.raises(SealError):
        SEALER.open(sealed, b"")


@pytest.mark.parametrize("text", ["", "zz", "11" * 31, "11" * 33])
def test_a_wrong_key_is_refused_without_repeating_it(text):
    with pytest.raises(SealError, match="STREAMER_SEAL_KEY") as caught:
        Sealer.from_hex(text)
    assert not text or text not in str(caught.value)


def test_nothing_of_the_plaintext_is_left():
    sealed = SEALER.seal("测试人".encode() * 10, b"a")
    assert "测试人".encode() not in sealed
