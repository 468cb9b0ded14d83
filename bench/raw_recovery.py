"""``python -m bench.raw_recovery BOOTSTRAP TOPIC FOLDER``: a changelog into RocksDB by the shortest loop. Not for: anything but
the measurement of a limit: it checks nothing and keeps no position. On uvloop and in the order of the keys, as ours.
"""

from __future__ import annotations

import shutil
import sys
from typing import Final

import uvloop
from aiokafka import AIOKafkaConsumer, TopicPartition
from rocksdict import Options, Rdict, WriteBatch, WriteOptions

from bench.raw import Clock, answer, pinned
from streamer.engine.partition_row import ORIGIN_BYTES

FETCH_BYTES: Final = 8 << 20
FETCH_RECORDS: Final = 50_000


async def main(bootstrap: str, topic: str, folder: str) -> None:
    pinned()
    options, writing = Options(raw_mode=True), WriteOptions()
    options.create_if_missing(True)
    options.set_write_buffer_size(64 << 20)
    writing.disable_wal = True  # type: ignore[method-assign,assignment]  # a property, whatever its stub says
    database = Rdict(folder, options)
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap, group_id=None, enable_auto_commit=False, auto_offset_reset="earliest",
        fetch_max_bytes=8 * FETCH_BYTES, max_partition_fetch_bytes=FETCH_BYTES,
    )  # fmt: skip
    await consumer.start()
    clock, count = Clock(), 0
    try:
        await consumer._client._wait_on_metadata(topic)
        tps = [TopicPartition(topic, p) for p in sorted(consumer.partitions_for_topic(topic) or ())]
        consumer.assign(tps)
        end = await consumer.end_offsets(tps)
        await consumer.seek_to_beginning(*tps)
        with clock:
            left = {tp for tp in tps if end[tp]}
            while left:
                for tp, records in (await consumer.getmany(*left, timeout_ms=500, max_records=FETCH_RECORDS)).items():
                    batch = WriteBatch(raw_mode=True)
                    prefix = tp.partition.to_bytes(2, "big")
                    for key, value in sorted([(record.key, record.value) for record in records]):
                        batch.put(prefix + key, value[ORIGIN_BYTES:])
                    database.write(batch, writing)
                    count += len(records)
                    if records[-1].offset + 1 >= end[tp]:
                        left.discard(tp)
    finally:
        await consumer.stop()
        database.close()
        shutil.rmtree(folder, ignore_errors=True)
    answer(clock, records=count)


if __name__ == "__main__":
    uvloop.run(main(*sys.argv[1:4]))
