#!/usr/bin/env python3
"""The product beside Kafka Streams on the same job, in one run, on one topic of one broker.

    scripts/bench-kafka-streams.py --bootstrap HOST:PORT [--events 4000000] [--rounds 3]

The peer (../shared/peers/kafka-streams, Java) does what the product does: JSON, 16 rolling features of each of 200,000
users, a forest of 100 trees x 64 leaves, exactly once, a changelog. It runs on RocksDB with a commit each second and each
100 ms; its better setting counts. The product runs with its default settings and with a commit each second. Rows take
turns; the ratio is of the medians. Needs a JDK and confluent-kafka; build first: swift build -c release.
"""
import argparse
import importlib.util
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
BAR = 6
TYPES = ["click", "ad_view", "purchase"]


def specification():
    """The peer's features: counts in three windows by type, sums for purchases, recencies, one `last`."""
    features = []
    for kind in TYPES:
        for window in ["1h", "1d", "7d"]:
            features.append({"name": f"{kind}_{window}", "aggregate": "count", "events": [kind], "window": window})
    for window in ["1h", "1d", "7d"]:
        features.append({"name": f"spend_{window}", "aggregate": "sum", "events": ["purchase"], "field": "value",
                         "window": window, "default": 0})
    for kind in TYPES:
        features.append({"name": f"since_{kind}", "aggregate": "recency", "events": [kind], "default": 1e7})
    features.append({"name": "recency", "aggregate": "last", "field": "properties.recency", "default": 0})
    return {"features": features}


def bench_cpu():
    """scripts/bench-cpu.py, which runs the product and counts its messages and its processor time."""
    found = importlib.util.spec_from_file_location("bench_cpu", REPOSITORY / "scripts/bench-cpu.py")
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


def main():
    import json

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bootstrap", required=True)
    parser.add_argument("--events", type=int, default=4_000_000)
    parser.add_argument("--users", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--bin", type=Path, default=REPOSITORY / ".build/release")
    parser.add_argument("--peer", type=Path,
                        default=Path(os.environ.get("IMPACTIQ_SHARED", REPOSITORY / "../shared")) / "peers/kafka-streams")
    options = parser.parse_args()
    if not options.peer.exists():
        sys.exit(f"bench-kafka-streams: skipped, there is no {options.peer}")
    work = Path(tempfile.mkdtemp(prefix="kafka-streams"))
    try:
        run(options, work, json, bench_cpu())
    finally:
        shutil.rmtree(work, ignore_errors=True)


def run(options, work, json, cpu):
    subprocess.run(["javac", "-cp", f"{options.peer}/libs/*", "-d", work / "peer", options.peer / "src/Peer.java"],
                   check=True)
    (work / "features.json").write_text(json.dumps(specification()))
    subprocess.run([options.bin / "impactiq-bench", "model", "--features", work / "features.json", "--out",
                    work / "bench.model"], check=True, stdout=subprocess.DEVNULL)

    bench = cpu.Bench(argparse.Namespace(
        bootstrap=options.bootstrap, program=str(options.bin / "impactiq"), model=str(work / "bench.model"), workers=2,
        events=options.events, users=options.users, broker_data=None, restore=False))
    topic = f"streams-{os.getpid()}-events"
    bench.create(bench.settings(topic, topic, work / "none", []))
    print(f"{options.events} events for {options.users} users to {topic}", flush=True)
    subprocess.run([sys.executable, options.peer / "src/feed.py", options.bootstrap, topic, str(options.events),
                    str(options.users)], check=True)

    def peer(commit):
        # A topic of its own for each round, or scores pile up in one.
        out = f"{topic}-{commit}-{len(rates)}-{sum(map(len, rates.values()))}"
        bench.create(bench.settings(out, out, work / "none", []))
        before = os.times()
        done = subprocess.run(
            ["java", "-Xmx3g", f"-Djava.io.tmpdir={work}", "-cp", f"{work}/peer:{options.peer}/libs/*", "Peer",
             options.bootstrap, topic, out, str(options.events), "2", str(commit), "rocksdb", "100"],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True)
        after = os.times()
        spent = after.children_user + after.children_system - before.children_user - before.children_system
        return float(re.search(r": (\d+) events/s", done.stdout)[1]), spent / options.events * 1e6

    def product(*settings):
        row = bench.measure(("product", bench.options.program, list(settings)), topic=topic)
        return row["rate"], row["cpu"]

    rows = {
        "Kafka Streams, RocksDB, commit 1 s": lambda: peer(1000),
        "Kafka Streams, RocksDB, commit 100 ms": lambda: peer(100),
        "product, default settings": lambda: product(),
        "product, commit.interval.ms=1000": lambda: product("commit.interval.ms=1000"),
    }
    rates = {name: [] for name in rows}
    for number in range(options.rounds):
        for name, measure in rows.items():
            rate, spent = measure()
            rates[name].append(rate)
            print(f"{name:38}  {rate:9,.0f} events/s  {spent:6.2f} µs per event", flush=True)
    medians = {name: statistics.median(values) for name, values in rates.items()}
    for name, rate in medians.items():
        print(f"median  {name:38}  {rate:9,.0f} events/s")
    better = max(medians["Kafka Streams, RocksDB, commit 1 s"], medians["Kafka Streams, RocksDB, commit 100 ms"])
    default, second = medians["product, default settings"], medians["product, commit.interval.ms=1000"]
    print(f"default settings / Kafka Streams at its better setting  {default / better:.2f}  (bar {BAR})")
    print(f"default settings / commit.interval.ms=1000              {default / second:.3f}  (bar .9)")


if __name__ == "__main__":
    main()
