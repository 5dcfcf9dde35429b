#!/usr/bin/env python3
"""Times `impactiq evaluate`'s ranking and curves beside scikit-uplift's qini_auc_score + uplift_curve: the same rows,
the same machine, one run, interleaved. Prints the ratio of the best times and fails when the numbers differ.

    python3 -m venv /tmp/venv && /tmp/venv/bin/pip install scikit-uplift
    swift build -c release --product impactiq-bench
    /tmp/venv/bin/python scripts/bench-evaluate.py [--rows 10000000] [--rounds 2]
"""
import argparse
import json
import pathlib
import subprocess
import tempfile
import time
import warnings

import numpy as np

warnings.filterwarnings("ignore")
from sklift.metrics import qini_auc_score, uplift_curve  # noqa: E402

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--rows", type=int, default=10_000_000)
parser.add_argument("--rounds", type=int, default=2)
parser.add_argument("--seed", type=int, default=1)
parser.add_argument("--bench", nargs="+", default=[str(pathlib.Path(__file__).parent.parent / ".build/release/impactiq-bench"), "evaluate"])
options = parser.parse_args()

random = np.random.default_rng(options.seed)
u = random.normal(0.02, 0.02, options.rows)
t = (random.random(options.rows) < 0.5).astype(int)
y = (random.random(options.rows) < 0.1 + t * np.clip(u, -0.1, 0.5)).astype(int)

with tempfile.TemporaryDirectory() as folder:
    u.astype("<f8").tofile(f"{folder}/score.f64")
    t.astype("u1").tofile(f"{folder}/treatment.u8")
    y.astype("u1").tofile(f"{folder}/outcome.u8")
    ours, theirs = [], []
    for _ in range(options.rounds):
        command = options.bench + ["--rows", str(options.rows), "--columns", folder]
        result = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        ours += result["rounds"]
        start = time.perf_counter()
        qini = qini_auc_score(y, u, t)
        x, height = uplift_curve(y, u, t)
        theirs.append(time.perf_counter() - start)

print(f"rows           {options.rows:,}")
print(f"impactiq       {min(ours):8.3f} s  (of {', '.join(f'{s:.3f}' for s in ours)})  Qini {result['qini']!r}")
print(f"scikit-uplift  {min(theirs):8.3f} s  (of {', '.join(f'{s:.3f}' for s in theirs)})  Qini {qini!r}")
print(f"ratio          {min(theirs) / min(ours):8.1f}")
assert result["qini"] == qini and result["points"] == len(x) and result["last"] == height[-1], "the numbers differ"
print("numbers        equal to the last bit")
