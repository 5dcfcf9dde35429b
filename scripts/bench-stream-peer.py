#!/usr/bin/env python3
"""The product beside a Python consumer that does the same job, in one run, on the same topic.

    scripts/bench-stream-peer.py --bootstrap HOST:PORT [--events 20000] [--product-events 2M] [--rounds 3] [--work DIR]

The peer is what a team writes first: confluent-kafka, json.loads, a dictionary of users with the 16 features of the demo,
EconML's CausalForestDML (100 trees of at most 64 leaves) for effect and interval, and a score produced as JSON. It
keeps no changelog and uses no transactions, which is less than what the product does. Two of them: one calls the model
for each event as it comes, which the bar is about; the other takes 1,000 messages and calls it once for their rows. Makes DIR (default /tmp/impactiq-stream-peer) with a virtual environment from PyPI when it is missing.
Build first: swift build -c release.
"""
import argparse
import collections
import json
import os
import statistics
import subprocess
import sys
import time
import uuid
from datetime import datetime
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
PACKAGES = ["econml", "confluent-kafka"]
BAR = 100
DAY = 86_400_000


def options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bootstrap", required=True)
    parser.add_argument("--events", type=int, default=20_000, help="events that the peer reads in a round")
    parser.add_argument("--event-calls", type=int, default=1_000, help="events of the peer that calls for each event")
    parser.add_argument("--product-events", default="2M", help="events of the product's topic")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--work", type=Path, default=Path("/tmp/impactiq-stream-peer"))
    parser.add_argument("--bin", type=Path, default=REPOSITORY / ".build/release")
    return parser.parse_args()


def environment(work):
    """Runs this script again in a virtual environment that has the packages."""
    python = work / "venv/bin/python3"
    if Path(sys.executable) == python or os.environ.get("BENCH_PEER_READY"):
        return
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", work / "venv"], check=True)
        subprocess.run([python, "-m", "pip", "install", "-q", *PACKAGES], check=True)
    os.environ["BENCH_PEER_READY"] = "1"
    os.execv(python, [str(python), *sys.argv])


def fitted_model():
    import numpy as np
    from econml.dml import CausalForestDML
    from sklearn.linear_model import LinearRegression, LogisticRegression

    random = np.random.default_rng(1)
    rows = random.normal(size=(8_000, 16))
    treated = random.integers(0, 2, 8_000)
    outcome = rows[:, 0] + treated * (rows[:, 1] > 0) + random.normal(size=8_000)
    model = CausalForestDML(
        model_y=LinearRegression(), model_t=LogisticRegression(), discrete_treatment=True, n_estimators=100,
        max_depth=6, min_samples_leaf=5, random_state=1, n_jobs=1)
    model.fit(outcome, treated, X=rows)
    return model


class User:
    """The demo's features of one user, by plain lists of times."""

    def __init__(self):
        self.last = {}
        self.times = collections.defaultdict(list)
        self.spend = []
        self.channels = {}
        self.activity, self.activity_time = 0.0, 0
        self.purchase = None
        self.clock = 0

    def apply(self, event):
        now = int(datetime.fromisoformat(event["time"].replace("Z", "+00:00")).timestamp() * 1_000)
        self.clock = max(self.clock, now)
        self.last.update(event.get("properties", {}))
        kind = event["type"]
        if kind in ("page_view", "click", "add_to_cart"):
            self.times[kind] = [t for t in self.times[kind] if t > self.clock - 7 * DAY] + [now]
        if kind == "page_view":
            self.activity = self.activity * 0.5 ** ((now - self.activity_time) / (3 * DAY)) + 1
            self.activity_time = now
        if kind == "purchase":
            self.purchase = now
            self.spend = [(t, v) for t, v in self.spend if t > self.clock - 14 * DAY] + [(now, event.get("value", 0))]
        if "channel" in event:
            self.channels[event["channel"]] = now

    def row(self):
        get, now = self.last.get, self.clock
        views = self.times["page_view"]
        week = len(views)
        clicks = len(self.times["click"])
        return [
            get("recency", 20), get("history", 67), get("tenure", 365), float(get("newsletter", 0)),
            float(get("device_type") == "Mobile"), float(get("device_type") == "Desktop"),
            float(get("acquired_by") == "social"), sum(t > now - DAY for t in views), week,
            self.activity * 0.5 ** ((now - self.activity_time) / (3 * DAY)), clicks, clicks / week if week else 0,
            len(self.times["add_to_cart"]), sum(v for _, v in self.spend),
            (now - self.purchase) / 1_000 if self.purchase else 2_592_000,
            sum(t > now - 7 * DAY for t in self.channels.values()),
        ]


def peer_round(bootstrap, topic, events, model, batch):
    """Events per second of the Python consumer, which takes `batch` messages at a time."""
    import numpy as np
    from confluent_kafka import Consumer, Producer

    consumer = Consumer({
        "bootstrap.servers": bootstrap, "group.id": str(uuid.uuid4()), "auto.offset.reset": "earliest",
        "enable.auto.commit": False, "queued.min.messages": 1_000_000})
    producer = Producer({"bootstrap.servers": bootstrap, "enable.idempotence": True, "linger.ms": 5})
    consumer.subscribe([topic])
    users, done, start = collections.defaultdict(User), 0, None
    while done < events:
        messages = consumer.consume(batch, timeout=1)
        if not messages:
            continue
        start = start or time.perf_counter()
        rows, sources = [], []
        for message in messages:
            event = json.loads(message.value())
            user = users[event["user_id"]]
            user.apply(event)
            if event["type"] in ("ad_view", "click"):
                rows.append(user.row())
                sources.append((event, message))
        if rows:
            x = np.asarray(rows, dtype=np.float64)
            effects = model.effect(x)
            lower, upper = model.effect_interval(x, alpha=0.05)
            for (event, message), effect, low, high in zip(sources, effects, lower, upper):
                score = {"user_id": event["user_id"], "time": event["time"], "uplift": float(effect),
                         "ci_lower": float(low), "ci_upper": float(high),
                         "source": {"partition": message.partition(), "offset": message.offset()}}
                producer.produce(f"{topic}-peer-scores", json.dumps(score), event["user_id"])
            producer.poll(0)
        done += len(messages)
    producer.flush()
    seconds = time.perf_counter() - start
    consumer.close()
    return done / seconds


def product_round(arguments):
    """Events per second of the product and its ratio to the raw C loop."""
    result = subprocess.run(
        [arguments.bin / "impactiq-bench", "stream", "--bootstrap", arguments.bootstrap, "--events",
         arguments.product_events, "--only", "leaves, commit 1 s", "--warm-up", "0", "--rounds", "1", "--json"],
        check=True, capture_output=True, cwd=REPOSITORY)
    return json.loads(result.stdout)["rows"][-1]["value"]


def main():
    arguments = options()
    environment(arguments.work)
    topic = f"peer-{uuid.uuid4().hex[:8]}"
    tool = [arguments.bin / "impactiq"]
    settings = ["--set", f"bootstrap.servers={arguments.bootstrap}", "--set", f"input.topics={topic}"]
    names = [f"output.topic={topic}-peer-scores", f"dead.letter.topic={topic}-dead", f"application.id={topic}"]
    subprocess.run(
        tool + ["topics", "create", "--partitions", "4", *settings, *[word for name in names for word in ("--set", name)]],
        check=True, stdout=subprocess.DEVNULL)
    subprocess.run(
        tool + ["generate", *settings[:2], "--events", str(arguments.events), "--users", "2000", "--to", f"topic:{topic}"],
        check=True)
    model = fitted_model()
    names = ["Python, EconML, a call an event", "Python, EconML, a call 1,000 messages", "impactiq run"]
    rates = [[] for _ in names]
    for round_number in range(arguments.rounds + 1):
        values = (
            peer_round(arguments.bootstrap, topic, min(arguments.event_calls, arguments.events), model, 1),
            peer_round(arguments.bootstrap, topic, arguments.events, model, 1_000), product_round(arguments))
        for rate, value in zip(rates, values):
            if round_number > 0:
                rate.append(value)
    worst = 0
    for name, own in zip(names, rates):
        ratios = sorted(b / a for a, b in zip(own, rates[-1]))
        worst = worst or ratios[len(ratios) // 2]
        print(f"{name:38} {statistics.median(own):>10,.0f} events/s   "
              f"product {statistics.median(ratios):6,.0f}× ({ratios[0]:,.0f}–{ratios[-1]:,.0f})")
    print(f"bar {BAR}× a call an event: {'met' if worst >= BAR else 'not met'}")
    return 0 if worst >= BAR else 1


if __name__ == "__main__":
    sys.exit(main())
