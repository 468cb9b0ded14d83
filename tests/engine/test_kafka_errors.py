"""What is asked again, what ends the process, and with which words. No Kafka."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    IncompatibleBrokerVersion,
    InvalidTopicError,
    KafkaConnectionError,
    KafkaTimeoutError,
    LeaderNotAvailableError,
    NodeNotReadyError,
    SaslAuthenticationFailed,
    TopicAuthorizationFailedError,
    UnknownError,
    UnknownTopicOrPartitionError,
)
from aiokafka.structs import TopicPartition

from streamer.engine import group_lag, preflight, standby
from streamer.engine.exits import Exit, Refusal, fatal
from streamer.engine.group_lag import GroupLag
from streamer.engine.kafka_errors import advice, forbidden, passes
from streamer.engine.metrics import Metrics
from streamer.engine.runtime import Runtime
from streamer.engine.settings import EngineSettings
from streamer.engine.standby import Standbys
from tests.engine.conftest import EndedError


@pytest.mark.parametrize(
    "exc",
    [
        KafkaConnectionError(), KafkaTimeoutError(), NodeNotReadyError(), LeaderNotAvailableError(), UnknownError(),
        UnknownTopicOrPartitionError(), ConnectionRefusedError(), TimeoutError(),
    ],
)  # fmt: skip
def test_what_passes_is_asked_again(exc: Exception) -> None:
    assert passes(exc)
    assert forbidden(exc) is None


@pytest.mark.parametrize(
    ("exc", "words"),
    [
        (TopicAuthorizationFailedError("t"), "Describe and Read (of an output Describe and Write) on the topic t,"),
        (GroupAuthorizationFailedError("g"), "Describe and Read on the consumer group g,"),
        (ClusterAuthorizationFailedError(), "IdempotentWrite on the cluster"),
        (SaslAuthenticationFailed(), "see to its login"),
    ],
)  # fmt: skip
def test_what_a_person_must_mend_ends_the_process_wherever_it_comes_up(
    ends: list[int], capfd: pytest.CaptureFixture[str], exc: Exception, words: str
) -> None:
    outer = RuntimeError("wrapped")
    outer.__cause__ = exc
    assert not passes(exc)
    assert forbidden(outer) is exc
    for code, found in ((Exit.STALL, exc), (Exit.HANDLER, outer), (Exit.RECOVERY, exc)):
        with pytest.raises(EndedError):
            fatal(code, "somewhere", found)
    assert ends == [Exit.CONFIG] * 3
    assert capfd.readouterr().err.count(words) == 3


def test_other_errors_say_their_name() -> None:
    assert not passes(InvalidTopicError("t"))
    assert forbidden(InvalidTopicError("t")) is None
    assert advice(InvalidTopicError("t")) == "Kafka answers InvalidTopicError (t), which asking again does not change"
    assert not passes(ValueError())


@pytest.mark.parametrize("exc", [SaslAuthenticationFailed(), IncompatibleBrokerVersion()])
async def test_a_start_does_not_wait_for_what_does_not_come(exc: Exception) -> None:
    async def topics() -> dict[str, int]:
        raise exc

    runtime: Any = SimpleNamespace(settings=SimpleNamespace(bootstrap_servers="b:1"), waiting_on=nullcontext)
    with pytest.raises(Refusal, match="b:1: Kafka") as no:
        await preflight.wait_for_kafka(runtime, topics)
    assert no.value.code is Exit.CONFIG


@pytest.mark.parametrize(
    ("exc", "code"), [(TopicAuthorizationFailedError("c"), Exit.CONFIG), (InvalidTopicError("c"), Exit.RECOVERY)]
)
async def test_a_standby_does_not_ask_for_ever_what_it_may_not_read(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, ends: list[int], exc: Exception, code: Exit
) -> None:
    def reader(*_: Any) -> Any:
        raise exc

    monkeypatch.setattr(standby, "reader", reader)
    settings = EngineSettings(app_id="a", bootstrap_servers="b", state_dir=tmp_path, num_standby_replicas=1)
    app = SimpleNamespace(settings=settings, runtime=Runtime(settings, Metrics()))
    standbys = Standbys(app)
    standbys._tables = {TopicPartition("c", 0): None}  # type: ignore[dict-item]
    with pytest.raises(EndedError):
        await standbys._run()
    assert ends == [code]


@pytest.mark.parametrize(
    ("exc", "words"),
    [
        (GroupAuthorizationFailedError("FindCoordinator failed"), "Describe and Read on the consumer group dossier,"),
        (TopicAuthorizationFailedError("records"), "on the topic records,"),
    ],
)
async def test_a_gate_whose_lag_may_not_be_asked_ends_the_process(
    monkeypatch: pytest.MonkeyPatch, ends: list[int], capfd: pytest.CaptureFixture[str], exc: Exception, words: str
) -> None:
    app = SimpleNamespace(runtime=SimpleNamespace(clock=lambda: 0.0), metrics=Metrics(), should_stop=False)
    gate = GroupLag(app, topic="records", group="dossier", max_lag_records=1)
    faults: list[Exception] = [UnknownError(), exc]

    async def measure() -> None:
        raise faults.pop(0)

    monkeypatch.setattr(gate, "measure", measure)
    monkeypatch.setattr(group_lag, "POLL_S", 0)
    with pytest.raises(EndedError):
        await gate.run()
    assert (ends, faults) == ([Exit.CONFIG], [])
    assert words in capfd.readouterr().err
