"""Invented identifiers for tests, with right checks, in the fictional division 4499: no real person's number."""

from streamer.domain import identity

FICTIONAL_AREA = "449900"


def org_code(body: str) -> str:
    """An organization code from its first 8 characters."""
    return body + identity.org_code_check(body)


def uscc(prefix: str = "91449900", body: str = "MA000001") -> str:
    """A unified code from its first 8 characters and the first 8 of the organization code."""
    code = prefix + org_code(body)
    return code + identity.uscc_check(code)


def citizen_number(serial: int = 1, area: str = FICTIONAL_AREA, born: str = "19900101") -> str:
    body = f"{area}{born}{serial:03d}"
    return body + identity.citizen_check(body)


def registration_number(body: str) -> str:
    return body + identity.registration_check(body)
