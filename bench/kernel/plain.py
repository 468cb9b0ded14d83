"""The local store of the plain loops: what makes ours faster, as far as a plain loop can have it. Not for: peers."""

from __future__ import annotations

from rocksdict import BlockBasedOptions, Options, Rdict

from bench.kernel.core import DIR

BLOOM_BITS = 10
MEMTABLE_BLOOM_RATIO = 0.1


def open_store(partition: int) -> Rdict:
    """One a partition, with filters for keys that are new; its write-ahead log stays on, since nothing is read from a
    changelog."""
    options, blocks = Options(raw_mode=True), BlockBasedOptions()
    options.create_if_missing(True)
    blocks.set_bloom_filter(BLOOM_BITS, False)
    options.set_block_based_table_factory(blocks)
    options.set_memtable_whole_key_filtering(True)
    options.set_memtable_prefix_bloom_ratio(MEMTABLE_BLOOM_RATIO)
    return Rdict(f"{DIR}/p{partition}", options)
