#!/usr/bin/env python3
"""Processor time and sleeps per event of `impactiq run`, at steady rates and under lag, beside a raw C consume loop.

  scripts/bench-cpu.py --bootstrap localhost:9092                       rates of 1,000, 20,000 and 100,000, and lag
  scripts/bench-cpu.py --bootstrap localhost:9092 --only lag \\
      --case default --case 1s=commit.interval.ms=1000 --case zstd=kafka.producer.compression.type=zstd

Each --case is NAME=KEY=VALUE[,KEY=VALUE…], and NAME@PROGRAM=… runs another program. Every process is a child of its own;
its time is what /proc says of it. --broker-data FOLDER adds the bytes of scores and changelog in the broker's log, and
--restore the time that a start without a local copy takes to restore the state.

  scripts/bench-cpu.py --bootstrap localhost:9092 --only lag --no-raw --http --rounds 3    what the HTTP side costs

--http reads the same lag with http.listen=none, with a dashboard open (its page, its questions, one listener to the stream of
events), and with wrk asking POST /v1/score as fast as it is answered (Debian's wrk, one thread, two connections). Times are
those of the pipeline's own threads; the cores that HTTP's threads and wrk took stand beside them.
"""
import argparse, glob, os, re, shutil, socket, statistics, subprocess, sys, tempfile, threading, time, urllib.request

TICK = os.sysconf("SC_CLK_TCK")


def cpu(pid):
    """Seconds of processor time of a process, all threads."""
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def http_cpu(pid):
    """The same of the threads that answer HTTP."""
    total = 0
    for path in glob.glob(f"/proc/{pid}/task/*/stat"):
        try:
            with open(path) as file:
                name, rest = file.read().rsplit(")", 1)
        except (FileNotFoundError, ProcessLookupError):
            continue
        if name.split("(", 1)[1].startswith("MHD-"):
            total += int(rest.split()[11]) + int(rest.split()[12])
    return total / TICK


class Dashboard:
    """A page that is open in a browser, as far as the server knows."""

    def __init__(self, base):
        self.events, self.stopped, self.base = 0, False, base
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for path in ["/", "/v1/model", "/v1/live"]:
            urllib.request.urlopen(self.base + path, timeout=30).read()
        with urllib.request.urlopen(self.base + "/v1/stream", timeout=30) as stream:
            while not self.stopped:
                self.events += stream.readline().startswith(b"data:")

    def cpu(self):
        return 0

    def stop(self):
        self.stopped = True
        assert self.events > 0, "the dashboard's stream said nothing"


class Load:
    """wrk on POST /v1/score."""

    def __init__(self, base, folder):
        script = os.path.join(folder, "score.lua")
        with open(script, "w") as file:
            file.write('wrk.method = "POST"\nwrk.body = \'{"features":{}}\'\nwrk.headers["Content-Type"] = "application/json"\n')
        self.base = base
        self.process = subprocess.Popen(["wrk", "-t1", "-c2", "-d600s", "-s", script, base + "/v1/score"], stdout=subprocess.DEVNULL)

    def cpu(self):
        return cpu(self.process.pid)

    def stop(self):
        self.process.kill()
        self.process.wait()
        metrics = urllib.request.urlopen(self.base + "/metrics", timeout=30).read().decode()
        assert re.search(r'route="POST /v1/score",status="200"} \d{3}', metrics), "the API answered next to nothing"


def switches(pid):
    """How often its threads have gone to sleep."""
    count = 0
    for path in glob.glob(f"/proc/{pid}/task/*/status"):
        try:
            with open(path) as file:
                count += int(re.search(r"^voluntary_ctxt_switches:\s*(\d+)", file.read(), re.M)[1])
        except (FileNotFoundError, ProcessLookupError):
            pass
    return count


class Run:
    """`impactiq run` with its counts as they come."""

    def __init__(self, program, settings):
        command = [program, "run", "--report-every", "100ms"]
        for setting in settings:
            command += ["--set", setting]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self.samples, self.log, self.client = [], [], None
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.process.stderr:
            self.log.append(line)
            found = re.search(r" (\d+) messages, (\d+) scores", line)
            if found:
                try:
                    commits = re.search(r"(\d+) commits", line)
                    sample = (time.monotonic(), int(found[1]), cpu(self.process.pid), int(commits[1]),
                              switches(self.process.pid), http_cpu(self.process.pid),
                              self.client.cpu() if self.client else 0)
                    self.samples.append(sample)
                except (FileNotFoundError, ProcessLookupError, IndexError):
                    pass

    def wait(self, count, seconds=300):
        end = time.monotonic() + seconds
        while not self.samples or self.samples[-1][1] < count:
            if time.monotonic() > end or self.process.poll() is not None:
                sys.exit("no " + str(count) + " messages in time:\n" + "".join(self.log[-20:]))
            time.sleep(0.02)

    def stop(self):
        self.process.terminate()
        self.process.wait(60)


class Bench:
    def __init__(self, options):
        self.options = options
        self.serial = 0

    def settings(self, name, topic, folder, case):
        return [
            f"bootstrap.servers={self.options.bootstrap}", f"application.id={name}", f"input.topics={topic}",
            f"output.topic={name}-scores", f"dead.letter.topic={name}-dead", f"model.path={self.options.model}",
            f"state.dir={folder}", f"workers={self.options.workers}", "score.events=ad_view,click,page_view,purchase",
            "event.time.max.ahead.ms=2000000000000", *case,
        ]

    def name(self):
        self.serial += 1
        return f"cpu-{os.getpid()}-{self.serial}"

    def create(self, settings):
        command = [self.options.program, "topics", "create", "--partitions", "4"]
        for setting in settings:
            command += ["--set", setting]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def generate(self, topic, events, rate=None):
        command = [self.options.program, "generate", "--events", str(events), "--users", str(self.options.users),
                   "--to", f"topic:{topic}", "--set", f"bootstrap.servers={self.options.bootstrap}"]
        if rate:
            command += ["--rate", str(rate)]
        return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def measure(self, case, rate=None, topic=None, client=None):
        """One row: events per second, microseconds per event, messages per commit.

        client makes what asks the HTTP side meanwhile, whose threads' time is counted apart.
        """
        label, program, values = case
        name = self.name()
        folder = tempfile.mkdtemp(prefix=name)
        fresh = topic is None
        topic = topic or f"{name}-events"
        settings = self.settings(name, topic, folder, values)
        self.create(settings)
        feeder = None
        if rate:
            feeder = self.generate(topic, int(rate * (self.options.seconds + 60)), rate)
        run = Run(program, settings)
        try:
            if client:
                base = "http://" + next(value for value in values if value.startswith("http.listen=")).split("=")[1]
                while not any("dashboard and API at" in line for line in run.log):
                    time.sleep(0.01)
                run.client = client(base, folder)
            if rate:
                run.wait(rate * 4)
                start = len(run.samples) - 1
                time.sleep(self.options.seconds)
            else:
                run.wait(self.options.events // 10)
                start = len(run.samples) - 1
                run.wait(self.options.events)
            samples = list(run.samples)
            if rate:
                last = len(samples) - 1
            else:
                # The last report before the end: what idles behind it is not part of the work.
                last = max(i for i, s in enumerate(samples) if s[1] < self.options.events)
            seconds, messages, spent, commits, sleeps, http, asked = (
                b - a for a, b in zip(samples[start], samples[last]))
            row = {"rate": messages / seconds, "cpu": (spent - http) / messages * 1e6,
                   "commit": messages / max(1, commits), "sleeps": sleeps / messages * 1e3}
            if client:
                row |= {"http": http / seconds, "client": asked / seconds}
        finally:
            if run.client:
                run.client.stop()
            if feeder:
                feeder.kill()
                feeder.wait()
            run.stop()
        if self.options.broker_data and not rate:
            row["bytes"] = sum(
                os.path.getsize(path)
                for kind in ("scores", "state-changelog")
                for path in glob.glob(f"{self.options.broker_data}/**/{name}-{kind}-*/*.log", recursive=True))
        if self.options.restore and not rate:
            shutil.rmtree(folder)
            again = Run(program, settings)
            end = time.monotonic() + 120
            while time.monotonic() < end and sum("state restored" in line for line in again.log) < self.options.workers:
                time.sleep(0.02)
            again.stop()
            row["restore"] = max(
                float(found[1]) for line in again.log if (found := re.search(r"users in ([\d.]+) s", line)))
        shutil.rmtree(folder, ignore_errors=True)
        return row

    def raw(self, rate=None, topic=None):
        """The C loop: microseconds per event."""
        name = self.name()
        topic = topic or f"{name}-events"
        self.create(self.settings(name, topic, "/nonexistent", []))
        events = self.options.events if not rate else int(rate * (self.options.seconds + 60))
        feeder = self.generate(topic, events, rate) if rate else None
        seconds = 4 + self.options.seconds if rate else 300
        bench = subprocess.Popen(
            [self.options.bench, "raw", "--bootstrap", self.options.bootstrap, "--topic", topic, "--events",
             str(events), "--duration", f"{seconds}s"], stdout=subprocess.PIPE, text=True)
        output = bench.communicate()[0].split()
        if feeder:
            feeder.kill()
            feeder.wait()
        # messages, seconds from the first to the last, processor seconds
        messages, spent, busy = int(output[0]), float(output[1]), float(output[2])
        return {"rate": messages / spent, "cpu": busy / messages * 1e6, "commit": 0}


def parse_case(text, program):
    name, _, rest = text.partition("=")
    name, _, other = name.partition("@")
    return name, other or program, [value for value in rest.split(",") if value]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bootstrap", required=True)
    parser.add_argument("--program", default=".build/release/impactiq")
    parser.add_argument("--bench", default=".build/release/impactiq-bench")
    parser.add_argument("--model", default="Tests/Golden/econml-demo.model")
    parser.add_argument("--case", action="append", default=[])
    parser.add_argument("--rates", default="1000,20000,100000")
    parser.add_argument("--events", type=int, default=2_000_000, help="under lag")
    parser.add_argument("--topic", help="under lag: a topic that has the events already")
    parser.add_argument("--users", type=int, default=200_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=15, help="of each measurement at a rate")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--only", choices=["rates", "lag"])
    parser.add_argument("--http", action="store_true", help="three more cases under lag")
    parser.add_argument("--no-raw", action="store_true")
    parser.add_argument("--broker-data")
    parser.add_argument("--restore", action="store_true")
    options = parser.parse_args()
    bench = Bench(options)
    cases = [parse_case(text, options.program) for text in options.case or ([] if options.http else ["default"])]

    def show(where, label, row):
        more = "".join(
            [f", {row['commit']:,.0f} messages per commit" if row["commit"] else "",
             f", {row['sleeps']:,.1f} sleeps per 1,000 events" if "sleeps" in row else "",
             f", HTTP {row['http']:.2f} cores, wrk {row['client']:.2f}" if "http" in row else "",
             f", {row['bytes'] / 1e6:,.0f} MB of scores and changelog" if "bytes" in row else "",
             f", restored in {row['restore']:.2f} s" if "restore" in row else ""])
        print(f"{where:>12}  {label:<22} {row['rate']:>9,.0f} events/s  {row['cpu']:>7.2f} µs per event{more}", flush=True)

    sockets = socket.socket()
    sockets.bind(("127.0.0.1", 0))
    listen = f"http.listen=127.0.0.1:{sockets.getsockname()[1]}"
    sockets.close()
    live = [("HTTP off", ["http.listen=none"], None), ("dashboard open", [listen], lambda base, folder: Dashboard(base)),
            ("API under full load", [listen], Load)] if options.http else []
    rows = {name: [] for name, _, _ in live}
    if options.http and not shutil.which("wrk"):
        sys.exit("bench-cpu: --http needs wrk (Debian: apt-get install wrk)")

    for turn in range(options.rounds):
        if options.only != "rates":
            topic = options.topic or f"{bench.name()}-events"
            if not options.topic:
                bench.create(bench.settings(bench.name(), topic, "/nonexistent", []))
                bench.generate(topic, options.events).wait()
            if not options.no_raw:
                show("lag", "C loop", bench.raw(topic=topic))
            for case in cases:
                show("lag", case[0], bench.measure(case, topic=topic))
            # Each has each place in a round.
            for name, values, client in live[turn % 3:] + live[:turn % 3]:
                rows[name].append(bench.measure((name, options.program, values), topic=topic, client=client))
                show("lag", name, rows[name][-1])
        if options.only != "lag":
            for rate in map(int, options.rates.split(",")):
                if not options.no_raw:
                    show(f"{rate:,}/s", "C loop", bench.raw(rate))
                for case in cases:
                    show(f"{rate:,}/s", case[0], bench.measure(case, rate))
    if not live:
        return

    def median(name, field):
        return statistics.median(row[field] for row in rows[name])

    for name in rows:
        print(f"{'median':>12}  {name:<22} {median(name, 'rate'):>9,.0f} events/s ({median(name, 'rate') / median('HTTP off', 'rate'):.3f})"
              f"  {median(name, 'cpu'):>7.2f} µs per event ({median(name, 'cpu') / median('HTTP off', 'cpu'):.3f})")
    name = "API under full load"
    taken = median(name, "http") + median(name, "client")
    print(f"the API took {median(name, 'http'):.2f} cores, wrk {median(name, 'client'):.2f}: {taken / os.cpu_count():.3f} of the machine's; "
          f"the pipeline lost {1 - median(name, 'rate') / median('HTTP off', 'rate'):.3f} of its events per second")


if __name__ == "__main__":
    main()
