#!/usr/bin/env python3
"""Bytes a user: the state's records beside the RocksDB stores that Kafka Streams would keep for the same.

    scripts/bench-state-memory.py [--users 20000] [--ids 0] [--bin .build/release]

Needs Debian's librocksdb7.8 and a built `impactiq`. Generates a fortnight of the simulated trial (126 events per user) and
writes, for the demo's 16 features over 3 windows, what a Kafka Streams topology stores: a window store each for the buckets
of 2 h, 12 h and 1 d (key: user, window start, sequence number; value: timestamp and aggregate) and a key-value store
for the rest, with Kafka Streams' RocksDB options (no compression, 4 KiB blocks, Bloom filter). Only windows that
still count are written, compacted once: Kafka Streams keeps at least these. Neither side remembers event ids here, since a
topology that drops duplicates would need one more store; --ids 16 gives ours its usual ones, for comparison. The jars of Kafka Streams itself are not
needed, and the JVM's and the block cache's memory are not counted.
"""
import argparse
import collections
import ctypes
import json
import shutil
import struct
import subprocess
import sys
import tempfile
from datetime import datetime
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
HOUR = 3_600_000
# (bucket, buckets, types it counts, bytes of the aggregate): page views of a day; page views, clicks, carts of a week; spend.
WINDOWS = [
    (2 * HOUR, 12, {"page_view"}, 4), (12 * HOUR, 14, {"page_view", "click", "add_to_cart"}, 12),
    (24 * HOUR, 14, {"purchase"}, 8)]
# recency, history, tenure, newsletter, device, source: 4 bytes each; decayed count and last purchase: 16 each.
FIXED = 8 + 6 * 4 + 2 * 16


class Rocks:
    """As much of RocksDB's C API as it takes."""

    def __init__(self, folder):
        lib = self.lib = ctypes.CDLL("librocksdb.so.7.8")
        for name in ("options_create", "block_based_options_create", "open", "writeoptions_create",
                     "filterpolicy_create_bloom_full"):
            getattr(lib, "rocksdb_" + name).restype = ctypes.c_void_p
        lib.rocksdb_property_value.restype = ctypes.c_char_p
        options = ctypes.c_void_p(lib.rocksdb_options_create())
        lib.rocksdb_options_set_create_if_missing(options, 1)
        lib.rocksdb_options_set_compression(options, 0)
        lib.rocksdb_options_set_write_buffer_size(options, ctypes.c_size_t(16 << 20))
        table = ctypes.c_void_p(lib.rocksdb_block_based_options_create())
        lib.rocksdb_block_based_options_set_block_size(table, ctypes.c_size_t(4_096))
        lib.rocksdb_filterpolicy_create_bloom_full.argtypes = [ctypes.c_double]
        lib.rocksdb_block_based_options_set_filter_policy(
            table, ctypes.c_void_p(lib.rocksdb_filterpolicy_create_bloom_full(10)))
        lib.rocksdb_options_set_block_based_table_factory(options, table)
        self.error = ctypes.c_char_p()
        self.db = ctypes.c_void_p(lib.rocksdb_open(options, folder.encode(), ctypes.byref(self.error)))
        self.check()
        self.write = ctypes.c_void_p(lib.rocksdb_writeoptions_create())

    def check(self):
        if self.error.value:
            sys.exit(f"RocksDB: {self.error.value.decode()}")

    def put(self, key, value):
        self.lib.rocksdb_put(
            self.db, self.write, key, ctypes.c_size_t(len(key)), value, ctypes.c_size_t(len(value)),
            ctypes.byref(self.error))
        self.check()

    def compacted_bytes(self):
        self.lib.rocksdb_compact_range(self.db, None, ctypes.c_size_t(0), None, ctypes.c_size_t(0))
        size = int(self.lib.rocksdb_property_value(self.db, b"rocksdb.total-sst-files-size"))
        self.lib.rocksdb_close(self.db)
        return size


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", type=int, default=20_000)
    parser.add_argument("--ids", type=int, default=0, help="event ids per user that ours remembers")
    parser.add_argument("--bin", type=Path, default=REPOSITORY / ".build/release")
    arguments = parser.parse_args()
    folder = tempfile.mkdtemp()
    events = 126 * arguments.users
    generate = subprocess.Popen(
        [arguments.bin / "impactiq", "generate", "--events", str(events), "--users", str(arguments.users), "--to", "-"],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    rows = [collections.defaultdict(set) for _ in WINDOWS]
    channels, clock = collections.defaultdict(dict), {}
    for line in generate.stdout:
        event = json.loads(line)
        user = event["user_id"]
        now = int(datetime.fromisoformat(event["time"].replace("Z", "+00:00")).timestamp() * 1_000)
        clock[user] = max(now, clock.get(user, 0))
        for (bucket, _, types, _), seen in zip(WINDOWS, rows):
            if event["type"] in types:
                seen[user].add(now // bucket)
        if "channel" in event:
            channels[user][event["channel"]] = now // (12 * HOUR)
    rocks = Rocks(folder)
    records = 0
    filler = bytes(range(1, 65))
    for user, now in clock.items():
        key = user.encode()
        rocks.put(b"f" + key, filler[:FIXED])
        records += 1
        for number, ((bucket, buckets, _, size), seen) in enumerate(zip(WINDOWS, rows)):
            for start in seen[user]:
                if start + buckets > now // bucket:
                    rocks.put(b"%d" % number + key + struct.pack(">qi", start * bucket, 0), filler[:8 + size])
                    records += 1
        for channel, last in channels[user].items():
            if last + 14 > now // (12 * HOUR):
                rocks.put(b"c" + key + struct.pack(">qi", last, 0) + channel.encode(), filler[:8])
                records += 1
    rocks_bytes = rocks.compacted_bytes() / len(clock)
    shutil.rmtree(folder)
    specification = json.loads((REPOSITORY / "examples/demo/features.json").read_text())
    specification["deduplication"] = {"ids": arguments.ids}
    with tempfile.NamedTemporaryFile("w", suffix=".json") as features:
        json.dump(specification, features)
        features.flush()
        result = json.loads(subprocess.run(
            [arguments.bin / "impactiq-bench", "growth", "--only", "users", "--users", str(arguments.users), "--features",
             features.name, "--events-a-user", "126", "--json"], check=True, capture_output=True, cwd=REPOSITORY).stdout)
    own = {kind: [row["value"] for row in result[0]["rows"] if kind in row["row"]][-1] for kind in ("memory", "records", "stored")}
    ratio = own["stored"] / rocks_bytes
    print(f"{len(clock):,} users, {events:,} events, {records / len(clock):.1f} records a user in RocksDB")
    print(f"RocksDB stores  {rocks_bytes:7.0f} bytes per user")
    print(f"impactiq        {own['stored']:7.0f} bytes per user stored, {own['records']:.0f} in memory, "
          f"{own['memory']:.0f} with table, slack and the undo log")
    print(f"stored to stored {ratio:.2f}, bar 0.50: {'met' if ratio <= 0.5 else 'not met'}")
    return 0 if ratio <= 0.5 else 1


if __name__ == "__main__":
    sys.exit(main())
