"""Recovery and standbys over a consumer of the test's own: what is read, counted and shown. No Kafka."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import KafkaConnectionError
from aiokafka.structs import TopicPartition
from faust.types import TP

from streamer.engine import recovery, standby, tasks
from streamer.engine.exits import Exit, Refusal
from streamer.engine.fetch import Fetched
from streamer.engine.metrics import Metrics
from streamer.engine.recovery import BulkRecovery
from streamer.engine.restore import Restore
from streamer.engine.runtime import Runtime
from streamer.engine.settings import EngineSettings
from streamer.engine.standby import Standbys
from streamer.engine.store import Store
from streamer.engine.unit import Message
from tests.engine.conftest import EndedError
from tests.engine.test_restore import DAY_MS, ID, Log, some_log

TPS = [TP("c", 0), TP("c", 1)]


class Broker:
    """Changelogs by partition, read a few records at a time."""

    def __init__(self) -> None:
        self.logs = {0: some_log(), 1: Log()}
        self.positions: dict[TopicPartition, int] = {}
        self.away = 0
        self.closing, self.may_close = asyncio.Event(), asyncio.Event()
        self.may_close.set()

    def assign(self, tps: list[TopicPartition]) -> None:
        self.positions = dict.fromkeys(tps, 0)

    async def beginning_offsets(self, tps: list[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(tps, 0)

    async def end_offsets(self, tps: list[TopicPartition]) -> dict[TopicPartition, int]:
        return {tp: self.logs[tp.partition].end for tp in tps}

    def seek(self, tp: TopicPartition, position: int) -> None:
        self.positions[tp] = position

    async def fetch(self, _consumer: Any, tps: list[TopicPartition], *_: Any) -> dict[TopicPartition, Fetched]:
        await asyncio.sleep(0)
        if self.away:
            self.away -= 1
            raise KafkaConnectionError
        out = {}
        for tp in tps:
            log, first = self.logs[tp.partition], self.positions[tp]
            following = min(log.end, first + 4)
            if following > first:
                part = [r for r in log.records if first <= r.offset < following]
                out[tp] = Fetched(part, first, following, log.end)
                self.positions[tp] = following
        return out

    @asynccontextmanager
    async def reader(self, *_: Any) -> AsyncIterator[Broker]:
        try:
            yield self
        finally:
            self.closing.set()
            with suppress(asyncio.CancelledError):  # as aiokafka's close
                await self.may_close.wait()


class Scene:
    def __init__(self, tmp_path: Path, broker: Broker) -> None:
        self.broker = broker
        settings = EngineSettings(app_id="a", bootstrap_servers="b", state_dir=tmp_path)
        self.runtime = Runtime(settings, Metrics())
        self.store = Store(tmp_path)
        self.table: Any = SimpleNamespace(restore=self.restore)
        self.app: Any = SimpleNamespace(
            settings=settings, runtime=self.runtime, metrics=self.runtime.metrics, recovery_moved=lambda: None
        )

    def restore(self, partition: int) -> Restore:
        return Restore(f"c-{partition}", self.store.partition(0, partition), ID, DAY_MS, lambda: 5 * DAY_MS)

    def rows(self, partition: int) -> dict[bytes, bytes]:
        return dict(self.store.partition(0, partition).after(b"\x00"))

    def value(self, name: str, partition: int | None = None) -> float | None:
        labels = {} if partition is None else {"topic": "c", "partition": str(partition)}
        return self.app.metrics.registry.get_sample_value(name, labels)  # type: ignore[no-any-return]

    async def broker_knows(self) -> None:
        """No ids."""

    async def until(self, condition: Callable[[], bool]) -> None:
        for _ in range(20_000):
            if condition():
                return
            await asyncio.sleep(0.001)
        raise TimeoutError


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    broker = Broker()
    for module in (recovery, standby):
        monkeypatch.setattr(module, "fetch", broker.fetch)
    monkeypatch.setattr(standby, "reader", broker.reader)
    monkeypatch.setattr(standby, "_RETRY_S", 0.001)
    return Scene(tmp_path, broker)


async def read(scene: Scene) -> BulkRecovery:
    reading: Any = BulkRecovery.__new__(BulkRecovery)
    reading.app = scene.app
    reading.tp_to_table = dict.fromkeys(TPS, scene.table)
    reading.progress = recovery.Progress(scene.app.metrics, scene.runtime.clock)
    restores = await reading._read(scene.broker, TPS)
    assert [r.position for r in restores.values()] == [log.end for log in scene.broker.logs.values()]
    made: BulkRecovery = reading
    return made


async def test_a_recovery_reads_to_the_end_counts_and_shows_what_is_left(scene: Scene) -> None:
    reading = await read(scene)
    assert [scene.rows(p) for p in (0, 1)] == [log.rows() for log in scene.broker.logs.values()]
    assert scene.value("streamer_recovered_records_total") == scene.broker.logs[0].end
    assert scene.value("streamer_recovery_remaining_records", 0) == 0
    assert reading.progress.active, "outputs are repaired yet"
    reading.progress.end()
    await read(scene)
    assert scene.value("streamer_recovered_records_total") == scene.broker.logs[0].end, "nothing is read twice"


async def test_what_is_left_of_a_recovery_is_not_shown_of_partitions_that_are_gone(scene: Scene) -> None:
    reading = await read(scene)
    reading.progress.end()
    assert scene.value("streamer_recovery_remaining_records", 1) == 0
    reading.progress.forget()
    assert scene.value("streamer_recovery_remaining_records", 1) is None
    reading.progress.moved(("c", 1), 7)  # a round that was under way
    reading.progress.end()
    assert scene.value("streamer_recovery_remaining_records", 1) is None


async def test_a_recovery_builds_anew_what_missed_a_delete(scene: Scene) -> None:
    await read(scene)
    log = scene.broker.logs[0]
    log.put(b"k3", b"")
    log.settle()
    log.compact()
    await read(scene)
    assert scene.rows(0) == log.rows()


async def test_a_standby_follows_and_its_promotion_reads_the_rest_alone(scene: Scene) -> None:
    standbys, log = Standbys(scene.app), scene.broker.logs[0]
    standbys.start(dict.fromkeys(TPS, scene.table))
    assert len(standbys) == 2
    await scene.until(lambda: scene.rows(0) == log.rows())
    log.put(b"k3", b"")
    log.put(b"new", b"v")
    log.zombie(b"k4", b"late")
    log.row()
    scene.broker.away = 3
    await scene.until(lambda: scene.restore(0).stored.position() == log.end)
    await scene.until(lambda: scene.value("streamer_standby_lag_records", 0) == 0)
    assert scene.rows(0) == log.rows()
    await standbys.stop()
    assert scene.value("streamer_standby_lag_records", 0) is None
    log.put(b"rest", b"v")
    reading = await read(scene)
    assert scene.value("streamer_recovered_records_total") == 1
    assert scene.rows(0) == log.rows()
    assert reading is not None
    assert scene.restore(0).stored.spoiled() == {b"k4"}, "what is to be written again is known still"


async def test_a_standby_that_missed_a_delete_is_built_anew(scene: Scene) -> None:
    await read(scene)
    log = scene.broker.logs[0]
    log.put(b"k3", b"")
    log.settle()
    log.compact()
    standbys = Standbys(scene.app)
    standbys.start({TPS[0]: scene.table})
    await scene.until(lambda: scene.rows(0) == log.rows())
    await standbys.stop()
    await standbys.stop()
    with pytest.raises(RuntimeError, match="being followed"):
        standbys.start({TPS[0]: scene.table})
        standbys.start({TPS[0]: scene.table})
    await standbys.stop()


async def test_standbys_let_go_although_a_cancellation_was_swallowed(scene: Scene, ends: list[int]) -> None:
    standbys, broker = Standbys(scene.app), scene.broker
    standbys.start(dict.fromkeys(TPS, scene.table))
    await scene.until(lambda: scene.rows(0) == broker.logs[0].rows())
    broker.may_close.clear()
    broker.closing.clear()
    broker.away = 1
    await broker.closing.wait()
    await standbys.stop()
    broker.logs[0].put(b"late", b"v")
    for _ in range(20):
        await asyncio.sleep(0.001)
    assert b"late" not in scene.rows(0), "another may own it by now"
    assert ends == []


async def test_standbys_let_go_although_whoever_stopped_them_was_stopped(scene: Scene, ends: list[int]) -> None:
    standbys, broker = Standbys(scene.app), scene.broker
    standbys.start(dict.fromkeys(TPS, scene.table))
    await scene.until(lambda: scene.rows(0) == broker.logs[0].rows())
    following = standbys._task
    assert following is not None
    broker.may_close.clear()
    broker.closing.clear()
    first = asyncio.ensure_future(standbys.stop())
    await broker.closing.wait()
    first.cancel()
    await asyncio.wait([first])
    assert not following.done()
    await standbys.stop()
    assert following.done()
    assert ends == []


async def test_standbys_that_do_not_let_go_end_the_process(
    scene: Scene, ends: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(standby, "STOP_TIMEOUT_S", 0.01)

    async def deaf(_end: Any, _within_s: float) -> bool:
        return False

    monkeypatch.setattr(standby, "end", deaf)
    standbys = Standbys(scene.app)
    standbys.start({TPS[0]: scene.table})
    following = standbys._task
    assert following is not None
    with pytest.raises(EndedError):
        await standbys.stop()
    assert ends == [Exit.RECOVERY]
    assert await tasks.end(following, 10)


@pytest.mark.parametrize("how", ["raises", "cancelled"])
async def test_standbys_that_die_end_the_process(scene: Scene, ends: list[int], how: str) -> None:
    quiet: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: quiet.append(context["exception"]))
    standbys = Standbys(scene.app)
    standbys.start({TPS[0]: scene.table})
    await scene.until(lambda: scene.rows(0) == scene.broker.logs[0].rows())
    if how == "raises":
        scene.broker.logs[0].row()
        scene.table.restore = None
        scene.broker.away = 1  # begins anew, and finds no table
    else:
        assert standbys._task is not None
        standbys._task.cancel()
    await scene.until(lambda: bool(ends))
    assert ends == [Exit.RECOVERY]
    assert [type(exc) for exc in quiet] == [EndedError]


class Appends:
    """Appends that land when they may; ``begun`` and ``landed``, by batch."""

    def __init__(self) -> None:
        self.begun: list[list[Message]] = []
        self.landed: list[list[Message]] = []
        self.may_land = asyncio.Event()

    async def append(self, _topic: str, _partition: int, messages: list[Message], expected: int) -> int:
        self.begun.append(messages)
        await self.may_land.wait()
        self.landed.append(messages)
        return expected + len(messages)

    def parts(self, messages: list[Message], _bytes: int) -> list[list[Message]]:
        return [[message] for message in messages]


class Rewriting(BulkRecovery):
    """Reads the test's broker, rewrites what is spoiled; ``completed_rounds`` of the partitions were handed over."""

    scene: Scene
    completed_rounds = 0

    async def _recover(self, tps: set[TP]) -> None:
        for tp, restore in (await self._read(self.scene.broker, tps)).items():
            owned = SimpleNamespace(
                following=1, position=100, stored=restore.stored, marks=SimpleNamespace(landed=lambda *_: None)
            )
            await self._rewrite(SimpleNamespace(owned={tp.partition: owned}), tp, restore)  # type: ignore[arg-type]

    async def on_recovery_completed(self, generation_id: int = 0) -> None:
        self.completed_rounds += 1


async def test_a_recovery_is_over_before_its_partitions_are_given_back(scene: Scene, ends: list[int]) -> None:
    appends, log = Appends(), scene.broker.logs[0]
    log.zombie(b"k3", b"late")
    log.zombie(b"k4", b"late")
    scene.runtime.steps = scene.runtime.appender = appends  # type: ignore[assignment]
    app = scene.app
    app.conf, app.should_stop, app.now_ms = SimpleNamespace(stream_recovery_delay=0.0), False, lambda: 0
    app.in_recovery, app.learn_topic_ids = False, scene.broker_knows
    reading = Rewriting(app, SimpleNamespace())
    reading.scene = scene
    reading.tp_to_table = {TPS[0]: scene.table}
    reading.active_tps = {TPS[0]}
    rounds = asyncio.ensure_future(Rewriting._restart_recovery.fun(reading))
    reading.signal_recovery_start.set()
    await scene.until(lambda: len(appends.begun) == 1)

    giving = asyncio.ensure_future(reading.give_back())
    for _ in range(20):
        await asyncio.sleep(0.001)
    assert not giving.done(), "what is under way lands before another may own it"
    appends.may_land.set()
    await giving
    assert len(appends.landed) == len(appends.begun) == 1, "and nothing follows it"
    reading.signal_recovery_start.set()  # as if it had been asked for just before
    for _ in range(20):
        await asyncio.sleep(0.001)
    assert len(appends.begun) == 1
    assert reading.completed_rounds == 0

    reading._revoked = False
    reading.signal_recovery_start.set()
    await scene.until(lambda: reading.completed_rounds == 1)
    assert len(appends.landed) == 3
    assert await tasks.end(rounds, 10)
    assert ends == []


@pytest.mark.parametrize(
    ("fault", "stopping", "code"),
    [
        (None, False, None),
        (asyncio.CancelledError(), False, None),  # halted
        (recovery.RebalanceAgain(), False, None),
        (recovery.IllegalStateError(), False, None),
        (recovery.ServiceStopped(), False, Exit.STALL),  # a timeout, for nobody stopped it
        (KeyError("x"), False, Exit.RECOVERY),
        (Refusal(Exit.CONFIG, "deleted and made anew"), False, Exit.CONFIG),
        (KeyError("x"), True, None),
    ],
)
async def test_a_round_that_fails_ends_the_process_unless_another_comes(
    scene: Scene, ends: list[int], fault: BaseException | None, stopping: bool, code: Exit | None
) -> None:
    async def go_round() -> None:
        if fault is not None:
            raise fault

    scene.app.conf, scene.app.should_stop = SimpleNamespace(stream_recovery_delay=0.0), False
    scene.runtime.stopping = stopping
    reading = BulkRecovery(scene.app, SimpleNamespace())
    task = asyncio.ensure_future(go_round())
    await asyncio.wait([task])
    with suppress(EndedError):
        reading._judge(task)
    assert ends == ([] if code is None else [code])


async def test_a_cancellation_that_is_lost_is_repeated() -> None:
    lost = 0

    async def hard_of_hearing() -> None:
        nonlocal lost
        while lost < 3:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                lost += 1

    task = asyncio.ensure_future(hard_of_hearing())
    await asyncio.sleep(0)
    assert not await tasks.end(task, 0.0)
    assert await tasks.end(task, 60.0)
    assert lost == 3


async def test_an_unbroken_step_is_awaited_to_its_end_and_says_how_it_ended() -> None:
    async def step(gate: asyncio.Event, result: Exception | int) -> int:
        await gate.wait()
        if isinstance(result, Exception):
            raise result
        return result

    for result, cancelled in ((7, False), (7, True), (KeyError("x"), True)):
        gate = asyncio.Event()
        caller = asyncio.ensure_future(tasks.unbroken(step(gate, result)))
        await asyncio.sleep(0)
        for _ in range(3 if cancelled else 0):
            caller.cancel()
            await asyncio.sleep(0)
            assert not caller.done()
        gate.set()
        await asyncio.wait([caller])
        if isinstance(result, Exception):
            assert caller.exception() is result
        else:
            assert caller.cancelled() if cancelled else caller.result() == result
