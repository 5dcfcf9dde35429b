#!/usr/bin/env python3
"""Attribution beside ChannelAttribution and marketing_attribution_models (PyPI), in one run.

    scripts/bench-attribution.py [--journeys 1000000] [--channels 50] [--python-journeys N] [--program .build/release/impactiq]

Writes one file of random paths, runs the Markov model of order 1 on it with each, and prints CPU seconds (user) and the ratio. Reading
the file counts for impactiq and not for the others, which are handed a data frame in memory. Needs the packages in the Python
that runs this; a package that is missing is skipped aloud.

    scripts/bench-attribution.py --sessions 1000000,4000000 [--model ihc]

Runs the batch path (SQLite in, credit and report out) over so many sessions each, and prints CPU seconds, sessions a second and
peak memory.

    scripts/bench-attribution.py --stream 1000000 --bootstrap localhost:9092

Attributes a topic of so many events as 'attribute follow' does, beside 'impactiq run' with a model of 16 features over the same
topic, both from its beginning to its end, and prints CPU seconds (user and system) an event. --before PROGRAM attributes the same
topic with another build too.
"""

import argparse
import os
import resource
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import time

import numpy
import pandas


def paths(count: int, channels: int, seed: int) -> pandas.DataFrame:
    random = numpy.random.default_rng(seed)
    names = numpy.array([f"channel_{index:02d}" for index in range(channels)])
    lengths = random.geometric(0.3, count).clip(1, 12)
    weights = 1 / numpy.arange(1, channels + 1)
    drawn = names[random.choice(channels, lengths.sum(), p=weights / weights.sum())]
    rows, start = [], 0
    for length in lengths:
        rows.append(" > ".join(drawn[start : start + length]))
        start += length
    converted = (random.random(count) < 0.3).astype(int)
    return pandas.DataFrame({"path": rows, "conversions": converted, "value": converted * 10.0, "nulls": 1 - converted})


def sessions(count: int, path: str) -> None:
    """A database of users with about ten sessions and half a conversion each, in no order. Made by SQLite, in little memory."""
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA journal_mode = OFF")
        database.execute("PRAGMA synchronous = OFF")
        database.execute(
            "CREATE TABLE session_sources (session_id TEXT PRIMARY KEY, user_id TEXT, event_date TEXT, event_time TEXT, "
            "channel_name TEXT, holder_engagement INTEGER, closer_engagement INTEGER, impression_interaction INTEGER)")
        database.execute(
            "CREATE TABLE conversions (conv_id TEXT PRIMARY KEY, user_id TEXT, conv_date TEXT, conv_time TEXT, revenue REAL)")
        # Multiplication modulo a prime instead of a random number: the same each time.
        numbers = "WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < {}) "
        user = f"'u' || (i * 7919 % 2147483647 * 104729 % 2147483647 % {max(1, count // 10)})"
        second = "(i * 48271 % 2147483647 * 16807 % 2147483647 % 5184000)"
        day = f"date(1767225600 + {second}, 'unixepoch')"
        clock = f"time({second} % 86400, 'unixepoch')"
        database.execute(
            numbers.format(count) + f"INSERT INTO session_sources SELECT printf('s%010d', i), {user}, {day}, {clock}, "
            "'channel ' || (i * 3001 % 2147483647 % 50), 1, 1, 0 FROM n")
        database.execute(
            numbers.format(count // 20) + f"INSERT INTO conversions SELECT printf('c%010d', i), {user}, {day}, {clock}, 10 FROM n")


def batch(program: str, counts: list[int], model: str) -> None:
    for count in counts:
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "sessions.db")
            sessions(count, path)
            start = time.monotonic()
            process = subprocess.Popen(
                [program, "attribute", "run", "--source", f"sqlite:{path}", "--model", model, "--json"],
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            # wait4's peak is that of this Python too, whose memory the child had until it became another program.
            peak, gone = 0, 0
            while gone == 0:
                peak = max(peak, high_water(process.pid))
                time.sleep(0.02)
                gone, status, usage = os.wait4(process.pid, os.WNOHANG)
            if status != 0:
                raise SystemExit(f"attribute run failed with {status}")
            print(
                f"{count} sessions, {model}: {usage.ru_utime:.1f} s CPU, {time.monotonic() - start:.1f} s, "
                f"{count / usage.ru_utime / 1e6:.2f} M sessions a CPU second, peak {peak / 1024:.0f} MiB")


def stream(
    program: str, bootstrap: str, events: int, users: int, model: str, out: str, before: str
) -> None:
    name, folder = f"bench-follow-{os.getpid()}", tempfile.mkdtemp()
    topics = [f"{name}-{kind}" for kind in ("events", "scores", "dead")]
    settings = []
    for setting in (
        f"bootstrap.servers={bootstrap}", f"application.id={name}", f"input.topics={topics[0]}", f"output.topic={topics[1]}",
        f"dead.letter.topic={topics[2]}", f"model.path={model}", f"state.dir={folder}/state", "workers=1",
        "event.time.max.ahead.ms=2000000000000",
    ):
        settings += ["--set", setting]
    subprocess.run([program, "topics", "create", "--partitions", "4", *settings], check=True, capture_output=True)
    subprocess.run(
        [program, "generate", "--events", str(events), "--users", str(users), "--to", f"topic:{topics[0]}", *settings],
        check=True, capture_output=True)

    def measured(words: list[str], last: str, program: str = program) -> float:
        process = subprocess.Popen([program, *words, *settings], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        for line in process.stderr:
            if last in line:
                process.send_signal(signal.SIGTERM)
                break
        process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        if status != 0:
            raise SystemExit(f"{words[0]} failed with {status}")
        return (usage.ru_utime + usage.ru_stime) / events * 1e6

    run = measured(["run", "--report-every", "200ms"], f" {events} messages,")
    print(f"run, 16 features: {run:.2f} us CPU an event", flush=True)
    place = out or f"sqlite:{folder}/followed.db"
    follow = measured(["attribute", "follow", "--out", place, "--every", "200ms"], f" {events} records,")
    print(f"attribute follow: {follow:.2f} us CPU an event, {follow / run:.2f} times as much", flush=True)
    if before:
        words = ["attribute", "follow", "--out", f"sqlite:{folder}/before.db", "--every", "200ms"]
        old = measured(words, f" {events} records,", before)
        print(f"the build before: {old:.2f} us CPU an event, {old / follow:.1f} times as much as this one")
    shutil.rmtree(folder)
    print("topics to delete: " + " ".join([*topics, f"{name}-state-changelog"]))


def high_water(pid: int) -> int:
    """The most memory that a process has held so far, KiB; 0 when it is gone."""
    try:
        with open(f"/proc/{pid}/status") as file:
            return next((int(line.split()[1]) for line in file if line.startswith("VmHWM")), 0)
    except OSError:
        return 0


def cpu(who: int = resource.RUSAGE_SELF) -> float:
    return resource.getrusage(who).ru_utime


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--journeys", type=int, default=1_000_000)
    parser.add_argument("--python-journeys", type=int, help="a smaller number for the Python packages; scaled up linearly")
    parser.add_argument("--channels", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--program", default=".build/release/impactiq")
    parser.add_argument("--sessions", help="numbers of sessions for the batch path, separated by commas")
    parser.add_argument("--model", default="ihc")
    parser.add_argument("--stream", type=int, help="a number of events for 'attribute follow'")
    parser.add_argument("--bootstrap", default="localhost:9092")
    parser.add_argument("--users", type=int, default=100_000)
    parser.add_argument("--stream-model", default="Tests/Golden/econml-demo.model")
    parser.add_argument("--before", default="", help="with --stream: another build of the program, beside this one")
    parser.add_argument("--out", default="", help="with --stream: a database; default: an SQLite file")
    options = parser.parse_args()
    if options.stream:
        stream(options.program, options.bootstrap, options.stream, options.users, options.stream_model, options.out,
            options.before)
        return
    if options.sessions:
        batch(options.program, [int(count) for count in options.sessions.split(",")], options.model)
        return
    data = paths(options.journeys, options.channels, options.seed)
    fewer = options.python_journeys or options.journeys
    scale = options.journeys / fewer
    part = data.iloc[:fewer]
    print(f"{options.journeys} journeys, {options.channels} channels, Markov of order 1")

    with tempfile.TemporaryDirectory() as folder:
        file = os.path.join(folder, "paths.csv")
        data.to_csv(file, index=False)
        before, start = cpu(resource.RUSAGE_CHILDREN), time.monotonic()
        subprocess.run(
            [options.program, "attribute", "compare", "--source", f"paths:{file}", "--model", "markov", "--json"],
            check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        ours = cpu(resource.RUSAGE_CHILDREN) - before
        print(f"impactiq, with reading the file: {ours:.2f} s CPU, {time.monotonic() - start:.2f} s")

    try:
        import ChannelAttribution

        before = cpu()
        ChannelAttribution.markov_model(
            part, "path", "conversions", var_null="nulls")
        theirs = (cpu() - before) * scale
        print(f"ChannelAttribution: {theirs:.2f} s CPU{' (scaled)' if scale > 1 else ''}: {theirs / ours:.1f} times as much")
    except ImportError:
        print("skipped: ChannelAttribution is not installed")

    try:
        from marketing_attribution_models import MAM

        small = part.iloc[: min(len(part), 100_000)].copy()
        before = cpu()
        model = MAM(
            small, channels_colname="path", conversion_value="value", journey_with_conv_colname="conversions",
            path_separator=" > ")
        model.attribution_markov(transition_to_same_state=False)
        theirs = (cpu() - before) * options.journeys / len(small)
        print(f"marketing_attribution_models, scaled from {len(small)}: {theirs:.1f} s CPU: {theirs / ours:.0f} times as much")
    except ImportError:
        print("skipped: marketing_attribution_models is not installed")


if __name__ == "__main__":
    main()
