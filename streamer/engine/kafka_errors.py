"""Which of Kafka's errors pass by themselves, and what a person must do about those that do not. Not for: ending a process
(``exits``), nor for errors of a group that changes (``thread``)."""

from __future__ import annotations

from typing import Final

from aiokafka.errors import (
    AuthenticationFailedError,
    AuthenticationMethodNotSupported,
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    IllegalSaslStateError,
    KafkaError,
    KafkaTimeoutError,
    SaslAuthenticationFailed,
    TopicAuthorizationFailedError,
    UnknownError,
    UnsupportedSaslMechanismError,
)

_DENIED: Final = (TopicAuthorizationFailedError, GroupAuthorizationFailedError, ClusterAuthorizationFailedError)
_NO_LOGIN: Final = (
    AuthenticationFailedError,
    AuthenticationMethodNotSupported,
    IllegalSaslStateError,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
)
#: aiokafka calls neither retriable: no answer in time, and a broker that does not say what was the matter.
_PASSES_TOO: Final = (KafkaTimeoutError, UnknownError)


def passes(exc: BaseException) -> bool:
    """Whether asking again may help: no connection, no answer in time, a cluster that elects or starts."""
    if isinstance(exc, KafkaError):
        return bool(exc.retriable) or isinstance(exc, _PASSES_TOO)
    return isinstance(exc, OSError | TimeoutError)


def forbidden(exc: BaseException | None) -> KafkaError | None:
    """``exc``, or what it comes from, where that is Kafka refusing this user: no retry and no restart changes it."""
    while exc is not None:
        if isinstance(exc, _DENIED + _NO_LOGIN):
            return exc
        exc = exc.__cause__ or exc.__context__
    return None


def advice(exc: BaseException, *, topic: str = "", group: str = "") -> str:
    """What to grant, to whom, on what. ``topic``, ``group``: what was asked for, where the error does not say."""
    name = type(exc).__name__
    told = ", ".join(str(arg) for arg in exc.args)
    if isinstance(exc, TopicAuthorizationFailedError):
        what = (
            f"Describe and Read (of an output Describe and Write) on the topic {told or topic or 'that it asked for'}"
        )
    elif isinstance(exc, GroupAuthorizationFailedError):
        what = f"Describe and Read on the consumer group {group or told or 'of its own'}"
    elif isinstance(exc, ClusterAuthorizationFailedError):
        what = "IdempotentWrite on the cluster, or Write on the topics that it writes"
    elif isinstance(exc, _NO_LOGIN):
        return f"Kafka does not let this worker in ({name}): see to its login, then start it again"
    else:
        return f"Kafka answers {name} ({told or topic or group}), which asking again does not change"
    return f"Kafka forbids it ({name}): grant this worker's user {what}, then start it again"
