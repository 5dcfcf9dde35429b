#!/usr/bin/env python3
"""The HTTP API beside FastAPI, in one run on one machine, with wrk (Debian).

    scripts/bench-api.py [--work DIR] [--python PYTHON] [--trees 500] [--rows 5000] [--seconds 5] [--rounds 3]

Serves one EconML forest of so many trees three ways, one server at a time, and asks each for random people:
  impactiq          POST /v1/score with the interval, POST /v1/score/batch, and GET /health, a route that only answers
  FastAPI + EconML  effect and interval by EconML itself; uvicorn with one worker a core
  FastAPI + ONNX    the effect only, by ONNX Runtime; uvicorn with one worker a core
Needs wrk, and a Python with econml, onnx, onnxruntime, fastapi and uvicorn (PyPI). Every round measures each server once;
medians and ratios are printed against the bars and written to DIR/api.json. wrk shares the machine with the servers.
"""
import argparse
import importlib.util
import json
import os
import random
import re
import signal
import socket
import statistics
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent

BASELINE = '''
import os, pickle, sys
import numpy as np
from fastapi import FastAPI, Request
app = FastAPI()
names = [f"x{i}" for i in range(10)]
kind = os.environ["BASELINE"]
if kind == "econml":
    with open(os.environ["MODEL"], "rb") as file:
        estimator = pickle.load(file)
    estimator.model_final_.n_jobs = 1
    for forest in estimator.model_final_.estimators_:
        forest.n_jobs = 1
else:
    import onnxruntime
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = settings.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(os.environ["MODEL"], settings, providers=["CPUExecutionProvider"])

def rows(people):
    return np.array([[person[name] for name in names] for person in people], dtype=np.float32)

def score(people):
    x = rows(people)
    if kind == "econml":
        inference = estimator.effect_inference(x)
        low, high = inference.conf_int()
        return [{"uplift": float(e), "std_error": float(s), "ci_lower": float(a), "ci_upper": float(b)}
                for e, s, a, b in zip(inference.point_estimate.ravel(), inference.stderr.ravel(), low.ravel(), high.ravel())]
    y = session.run(None, {"X": x})[0]
    # The effect from the averaged moments: a 2 x 2 system with an intercept.
    a0, a1, j00, j01 = y.T
    return [{"uplift": float(e)} for e in (a0 - j01 * a1) / (j00 - j01 * j01)]

@app.post("/score")
async def one(request: Request):
    return score([(await request.json())["features"]])[0]

@app.post("/batch")
async def many(request: Request):
    return {"scores": score((await request.json())["rows"])}

@app.get("/health")
def health():
    return {"status": "healthy"}
'''


def peers():
    """The forest and its ONNX graph, as the forest engine's benchmark makes them."""
    spec = importlib.util.spec_from_file_location("peers", REPOSITORY / "scripts/bench-forest-peers.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Server:
    def __init__(self, command, environment, port):
        self.process = subprocess.Popen(command, env={**os.environ, **environment}, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.PIPE, start_new_session=True)
        self.url = f"http://127.0.0.1:{port}"
        deadline = time.time() + 120
        while True:
            try:
                urllib.request.urlopen(self.url + "/health", timeout=1).read()
                return
            except OSError:
                if self.process.poll() is not None or time.time() > deadline:
                    sys.exit(f"{command[0]} did not start: {self.process.stderr.read().decode()[-2000:]}")
                time.sleep(0.2)

    def cpu(self):
        """CPU seconds of the process so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.killpg(self.process.pid, signal.SIGTERM)
        self.process.wait(timeout=20)


def wrk(url, script, connections, seconds):
    """Requests a second and the 99 % latency in milliseconds."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "--timeout", "30s"]
    out = subprocess.run(command + (["-s", str(script)] if script else []) + [url], capture_output=True, text=True,
                         check=True).stdout
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", out).group(1))
    number, unit = re.search(r"99%\s+([\d.]+)(us|ms|s|m)", out).groups()
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)", out)
    if bad:
        sys.exit(f"{url}: {bad.group(1)} answers were errors")
    return rate, float(number) * {"us": 1e-3, "ms": 1, "s": 1e3, "m": 6e4}[unit]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=Path("/tmp/impactiq-api-bench"))
    parser.add_argument("--python", default=sys.executable, help="a Python that has the peers")
    parser.add_argument("--impactiq", type=Path, default=REPOSITORY / ".build/release/impactiq")
    parser.add_argument("--trees", type=int, default=500)
    parser.add_argument("--rows", type=int, default=5_000, help="rows that the forest is fitted on")
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--connections", type=int, default=32)
    arguments = parser.parse_args()
    if Path(arguments.python).resolve() != Path(sys.executable).resolve():
        os.execv(arguments.python, [arguments.python, *sys.argv])
    work = arguments.work
    work.mkdir(parents=True, exist_ok=True)
    module = peers()
    estimator, forest, _, _ = module.fit(arguments)
    tag = f"{arguments.rows}x{arguments.trees}"
    module.build_onnx(forest, work, tag)
    pickled = work / f"est_{tag}.pkl"
    model = work / f"model_{tag}.impactiq"
    names = [f"x{i}" for i in range(10)]
    if not model.exists():
        sys.path.insert(0, str(REPOSITORY / "exporters"))
        from econml_export import export

        exported = work / f"export_{tag}.npz"
        export(estimator, str(exported), feature_names=names)
        subprocess.run([str(arguments.impactiq), "model", "import", "econml", str(exported), "--out", str(model), "--name",
                        "bench"], check=True, stdout=subprocess.DEVNULL)

    dice = random.Random(7)
    def person():
        return {name: round(dice.gauss(0, 1), 4) for name in names}
    bodies = [json.dumps({"features": person()}) for _ in range(256)]
    batches = [json.dumps({"rows": [person() for _ in range(1000)]}) for _ in range(4)]
    def lua(name, path, texts):
        script = work / f"{name}.lua"
        quoted = ",\n".join("[==[" + text + "]==]" for text in texts)
        script.write_text(f'local bodies = {{{quoted}}}\nlocal i = 0\nfunction request()\n  i = i % #bodies + 1\n'
                          f'  return wrk.format("POST", "{path}", {{["Content-Type"]="application/json"}}, bodies[i])\nend\n')
        return script
    ours_one, ours_many = lua("ours_one", "/v1/score", bodies), lua("ours_many", "/v1/score/batch", batches)
    # The same client for the route that only answers: wrk asks its script for every request.
    only_answer = work / "only_answer.lua"
    only_answer.write_text(ours_one.read_text().replace('"POST", "/v1/score"', '"GET", "/health"').replace(", bodies[i])", ")"))
    peer_one, peer_many = lua("peer_one", "/score", bodies), lua("peer_many", "/batch", batches)
    (work / "baseline.py").write_text(BASELINE)
    cores = os.cpu_count() or 1
    one_thread = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}

    def impactiq():
        port = free_port()
        return Server([str(arguments.impactiq), "serve", "--model", str(model), "--listen", f"127.0.0.1:{port}",
                       "--threads", str(cores)], {}, port)

    def uvicorn(kind, path):
        port = free_port()
        return Server([arguments.python, "-m", "uvicorn", "baseline:app", "--app-dir", str(work), "--port", str(port),
                       "--workers", str(cores), "--log-level", "error"],
                      {"BASELINE": kind, "MODEL": str(path), **one_thread}, port)

    onnx = work / f"forest_{tag}.onnx"
    cost = {"answer": [], "score": []}
    results = {name: [] for name in ("answer", "score", "batch", "econml", "econml batch", "onnx")}
    for round_ in range(arguments.rounds):
        with impactiq() as server:
            for name, script in (("answer", only_answer), ("score", ours_one)):
                before = server.cpu()
                results[name].append(wrk(server.url, script, arguments.connections, arguments.seconds))
                cost[name].append((server.cpu() - before) / (results[name][-1][0] * arguments.seconds))
            results["batch"].append(wrk(server.url, ours_many, 4, arguments.seconds))
        with uvicorn("econml", pickled) as server:
            results["econml"].append(wrk(server.url, peer_one, 4, arguments.seconds))
            results["econml batch"].append(wrk(server.url, peer_many, 2, arguments.seconds * 2))
        with uvicorn("onnx", onnx) as server:
            results["onnx"].append(wrk(server.url, peer_one, arguments.connections, arguments.seconds))
        print(f"round {round_ + 1} of {arguments.rounds}", flush=True)

    rate = {name: statistics.median(r for r, _ in values) for name, values in results.items()}
    tail = {name: statistics.median(t for _, t in values) for name, values in results.items()}
    print(f"\n{'work':34}{'requests/s':>14}{'p99, ms':>12}")
    for name, words in [("answer", "impactiq, only an answer"), ("score", "impactiq, score with interval"),
                        ("batch", "impactiq, 1,000 rows"), ("econml", "FastAPI + EconML, interval"),
                        ("econml batch", "FastAPI + EconML, 1,000 rows"), ("onnx", "FastAPI + ONNX, effect only")]:
        print(f"{words:34}{rate[name]:>14,.1f}{tail[name]:>12.2f}")
    bars = [("score / FastAPI + EconML", rate["score"] / rate["econml"], 800),
            ("score / FastAPI + ONNX Runtime", rate["score"] / rate["onnx"], 15),
            ("score / a route that only answers", rate["score"] / rate["answer"], 0.5),
            ("batch of 1,000 / FastAPI + EconML", rate["batch"] / rate["econml batch"], 10)]
    for name in cost:
        print(f"impactiq, CPU of a request ({name}): {statistics.median(cost[name]) * 1e6:.1f} µs")
    print(f"\n{'ratio':40}{'measured':>12}{'bar':>8}")
    for name, ratio, bar in bars:
        print(f"{name:40}{ratio:>12,.2f}{bar:>8}  {'met' if ratio >= bar else 'MISSED'}")
    (work / "api.json").write_text(json.dumps({"rates": rate, "p99_ms": tail, "bars": [list(b) for b in bars]}, indent=1))


if __name__ == "__main__":
    main()
