#!/usr/bin/env python3
"""Hold the trainer against EconML (pip install econml lightgbm pandas scikit-learn), on the same residuals, in one run.

    scripts/bench-training.py quality [--replications 8] [--seed 900]   # RMSE and coverage on eight designs
    scripts/bench-training.py speed                                    # CPU time a tree, growth, threads
    scripts/bench-training.py whole                                    # rows to model against CausalForestDML
    scripts/bench-training.py hillstrom --data hillstrom.csv           # ranking on twenty splits of a real trial
    scripts/bench-training.py average                                  # coverage of the average effect

The program is .build/release/impactiq, or --impactiq.
"""
import argparse
import json
import pathlib
import resource
import subprocess
import sys
import tempfile
import time
import warnings

import numpy as np
import pandas as pd

warnings.filterwarnings("ignore")
REPOSITORY = pathlib.Path(__file__).resolve().parent.parent


def softplus(x):
    return np.log1p(np.exp(x))


def design(name, n, rng):
    """-> X, e(x), b(x), tau(x), sigma. A to D: Nie and Wager (2021), setups A to D. The others are of this project."""
    p = 20 if name == "S" else 10
    if name == "A":
        X = rng.random((n, p))
        e = np.clip(np.sin(np.pi * X[:, 0] * X[:, 1]), 0.1, 0.9)
        b = np.sin(np.pi * X[:, 0] * X[:, 1]) + 2 * (X[:, 2] - 0.5) ** 2 + X[:, 3] + 0.5 * X[:, 4]
        return X, e, b, (X[:, 0] + X[:, 1]) / 2, 1.0
    X = rng.normal(size=(n, p))
    half = np.full(n, 0.5)
    if name == "B":
        return (X, half, np.maximum.reduce([X[:, 0] + X[:, 1], X[:, 2], np.zeros(n)])
                + np.maximum(X[:, 3] + X[:, 4], 0), X[:, 0] + softplus(X[:, 1]), 1.0)
    if name == "C":
        return X, 1 / (1 + np.exp(X[:, 1] + X[:, 2])), 2 * softplus(X[:, 0] + X[:, 1] + X[:, 2]), np.ones(n), 1.0
    if name == "D":
        a, c = np.maximum(X[:, 0] + X[:, 1] + X[:, 2], 0), np.maximum(X[:, 3] + X[:, 4], 0)
        return X, 1 / (1 + np.exp(-X[:, 0]) + np.exp(-X[:, 1])), (a + c) / 2, a - c, 1.0
    if name == "S":  # sparse steps
        return X, half, X[:, 2], 1.0 * (X[:, 0] > 0) + 1.0 * (X[:, 1] > 0.5), 1.0
    if name == "N":  # no effect
        return X, half, X[:, 0] + np.abs(X[:, 1]), np.zeros(n), 1.0
    if name == "E":  # waves and an interaction
        return X, 1 / (1 + np.exp(-0.5 * X[:, 2])), X[:, 2] + X[:, 3], np.sin(2 * X[:, 0]) + X[:, 0] * (X[:, 1] > 0), 1.0
    if name == "F":  # a bump
        return X, half, X[:, 4] ** 2 / 2, 2 * np.exp(-X[:, 0] ** 2 - X[:, 1] ** 2), 1.0
    raise SystemExit(name)


def draw(name, n, seed):
    rng = np.random.default_rng(seed)
    X, e, b, tau, sigma = design(name, n, rng)
    X = X.astype(np.float32).astype(np.float64)
    T = (rng.random(n) < e).astype(float)
    Y = b + (T - 0.5) * tau + sigma * rng.normal(size=n)
    return X, T, Y, tau


def residuals(X, T, Y, seed):
    """Cross-fitted in five folds by LightGBM, the same for both sides."""
    from lightgbm import LGBMClassifier, LGBMRegressor
    from sklearn.model_selection import KFold
    t, y = np.zeros(len(T)), np.zeros(len(T))
    common = dict(n_estimators=100, learning_rate=0.05, num_leaves=8, verbose=-1, n_jobs=1, deterministic=True)
    for train, test in KFold(5, shuffle=True, random_state=seed).split(X):
        y[test] = Y[test] - LGBMRegressor(**common).fit(X[train], Y[train]).predict(X[test])
        p = LGBMClassifier(**common).fit(X[train], T[train]).predict_proba(X[test])[:, 1]
        t[test] = T[test] - np.clip(p, 0.02, 0.98)
    return t.astype(np.float32).astype(np.float64), y.astype(np.float32).astype(np.float64)


class ImpactIQ:
    def __init__(self, program):
        self.program = program
        self.folder = tempfile.TemporaryDirectory()
        self.path = pathlib.Path(self.folder.name)

    def write(self, name, X, **columns):
        frame = pd.DataFrame(X, columns=["x%d" % i for i in range(X.shape[1])])
        for key, value in columns.items():
            frame[key] = value
        frame.to_csv(self.path / name, index=False, float_format="%.9g")
        return self.path / name

    def train(self, rows, *options, outcome="y"):
        model = self.path / "model"
        words = [self.program, "train", rows, "--out", model, "--treatment", "t", "--outcome", outcome, "--json", *options]
        done = subprocess.run([str(w) for w in words], capture_output=True, text=True)
        if done.returncode:
            sys.exit(done.stderr)
        return json.loads(done.stdout), model

    def score(self, model, rows):
        done = subprocess.run([self.program, "model", "score", "--model", model, "--columns", "minimal", rows],
                              capture_output=True, text=True)
        if done.returncode:
            sys.exit(done.stderr)
        frame = pd.read_csv(__import__("io").StringIO(done.stdout))
        return frame["uplift"].to_numpy(), frame["std_error"].to_numpy()


def econml(X, t, y, test, seed, trees=500, leaf=5):
    from econml.grf import CausalForest
    forest = CausalForest(n_estimators=trees, min_samples_leaf=leaf, max_samples=0.45, inference=True, n_jobs=1,
                          random_state=seed)
    start = time.process_time()
    forest.fit(X, t.reshape(-1, 1), y.reshape(-1, 1))
    seconds = time.process_time() - start
    if test is None:
        return seconds
    effect, low, high = forest.predict(test, interval=True, alpha=0.05)
    return effect.ravel(), (high - low).ravel() / 2 / 1.959964, seconds


def cached(options, key, make):
    """EconML takes minutes: its answers may be kept in --cache between runs of this script."""
    if not options.cache:
        return make()
    path = pathlib.Path(options.cache) / (key + ".npy")
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, np.array(make()))
    return tuple(np.load(path))


EQUAL = ["--residuals", "--offset", "none", "--leaf", 5, "--subsample", 0.9, "--honesty", 0.5]
MODES = {"equal": EQUAL, "forest alone": ["--residuals", "--offset", "none"], "defaults": ["--residuals"]}


def quality(options):
    program = ImpactIQ(options.impactiq)
    names = list(options.designs)
    modes = list(MODES) if options.modes is None else [mode for mode in options.modes.split(",") if mode]
    table = {}
    for name in names:
        errors = {mode: [] for mode in ["econml"] + modes}
        coverage = {mode: [] for mode in ["econml"] + modes}
        nonzero = {mode: [] for mode in ["econml"] + modes}
        for replication in range(options.replications):
            seed = options.seed + replication
            X, T, Y, _ = draw(name, options.rows, seed)
            test, _, _, tau = draw(name, 1000, seed + 500_000)
            t, y = residuals(X, T, Y, seed)
            rows, ask = program.write("rows.csv", X, t=t, y=y), program.write("test.csv", test)

            def add(mode, effect, error):
                errors[mode].append(np.sqrt(np.mean((effect - tau) ** 2)))
                coverage[mode].append(np.mean(np.abs(effect - tau) <= 1.959964 * error))
                nonzero[mode].append(np.mean(np.abs(effect) > 1.959964 * error))

            add("econml", *cached(options, "%s-%d-%d-%d" % (name, options.rows, options.trees, seed),
                                  lambda: econml(X, t, y, test, seed, options.trees)[:2]))
            for mode in modes:
                _, model = program.train(rows, *MODES[mode], "--trees", options.trees, "--seed", seed)
                add(mode, *program.score(model, ask))
        base = np.mean(errors["econml"])
        table[name] = {m: np.mean(errors[m]) / base for m in modes}
        print("%s  EconML RMSE %.4f, coverage %.3f, excludes 0 %.3f" % (
            name, base, np.mean(coverage["econml"]), np.mean(nonzero["econml"])))
        for mode in modes:
            print("   %-14s RMSE %.3f of EconML's, coverage %.3f, excludes 0 %.3f" % (
                mode, table[name][mode], np.mean(coverage[mode]), np.mean(nonzero[mode])), flush=True)
    for mode in modes:
        ratios = [table[name][mode] for name in names]
        print("%-14s geometric mean %.3f, worst %.3f" % (mode, np.exp(np.mean(np.log(ratios))), max(ratios)))


def speed(options):
    program = ImpactIQ(options.impactiq)
    rng = np.random.default_rng(options.seed)
    for n, p, ours, theirs in ((10_000, 10, 500, 20), (100_000, 10, 100, 3), (100_000, 50, 40, 0), (1_000_000, 10, 20, 1)):
        X = rng.normal(size=(n, p)).astype(np.float32).astype(np.float64)
        t = (rng.random(n) < 0.5) - 0.5
        y = t * (X[:, 0] > 0) + rng.normal(size=n)
        rows = program.write("rows.csv", X, t=t, y=y)
        seconds = {}
        for threads in (1, 2):
            report, _ = program.train(rows, *EQUAL, "--no-diagnostics", "--trees", ours, "--threads", threads)
            seconds[threads] = report["processor_seconds"]["forest"] / ours, report["wall_seconds"]["forest"]
        line = "%9d x %3d: %.3f ms per tree" % (n, p, 1e3 * seconds[1][0])
        if theirs:
            other = econml(X, t, y, None, 1, 4 * ((theirs + 3) // 4)) / (4 * ((theirs + 3) // 4))
            line += ", EconML %.1f ms, %.0f times" % (1e3 * other, other / seconds[1][0])
        print(line + "; 2 threads %.2f times" % (seconds[1][1] / seconds[2][1]), flush=True)


def whole(options):
    from econml.dml import CausalForestDML
    from lightgbm import LGBMClassifier, LGBMRegressor
    program = ImpactIQ(options.impactiq)
    X, T, Y, _ = draw("A", 100_000, options.seed)
    rows = program.write("rows.csv", X, t=T.astype(int), y=Y)
    for trees in (options.trees,):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        program.train(rows, "--trees", trees)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        ours = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        few = 20
        forest = CausalForestDML(model_y=LGBMRegressor(n_jobs=1, verbose=-1), model_t=LGBMClassifier(n_jobs=1, verbose=-1),
                                 discrete_treatment=True, n_estimators=few, min_samples_leaf=10, n_jobs=1, cv=5)
        start = time.process_time()
        forest.fit(Y, T, X=X)
        small = time.process_time() - start
        forest.n_estimators = 2 * few
        start = time.process_time()
        forest.fit(Y, T, X=X)
        tree = (time.process_time() - start - small) / few
        theirs = small + tree * (trees - few)
        print("rows to model, 100,000 x 10, %d trees: %.1f s CPU; CausalForestDML %.0f s (from %d and %d trees), %.0f times"
              % (trees, ours, theirs, few, 2 * few, theirs / ours))


def hillstrom(options):
    from sklearn.model_selection import train_test_split
    sys.path.insert(0, str(REPOSITORY / "exporters"))
    program = ImpactIQ(options.impactiq)
    customers = pd.read_csv(options.data)
    for arm, label in (("Womens E-Mail", "women"), ("Mens E-Mail", "men")):
        frame = customers[customers.segment.isin([arm, "No E-Mail"])].reset_index(drop=True)
        X = frame[["recency", "history", "mens", "womens", "newbie"]].copy()
        for column in ("zip_code", "channel"):
            for value in sorted(frame[column].unique()):
                X["%s_%s" % (column, value)] = (frame[column] == value).astype(int)
        X["t"], X["y"] = (frame.segment == arm).astype(int), frame.visit
        for first in ((42, 1042) if label == "women" else (42,)):
            values, pvalues = [], []
            for seed in range(first, first + options.splits):
                strata = 2 * X.t + X.y
                train, test = train_test_split(np.arange(len(X)), test_size=0.3, random_state=seed, stratify=strata)
                X.iloc[train].to_csv(program.path / "train.csv", index=False)
                X.iloc[test].to_csv(program.path / "test.csv", index=False)
                report, model = program.train(program.path / "train.csv", "--tune", "--propensity", "0.5", "--seed", seed)
                effect, _ = program.score(model, program.path / "test.csv")
                values.append(qini(X.y.to_numpy()[test], X.t.to_numpy()[test], effect))
                pvalues.append(report["outcomes"][0]["effects"][0]["heterogeneity_p"])
            print("%s/visit, seeds %d to %d: Qini %.4f, sd %.4f; heterogeneity p, median %.3f" % (
                label, first, first + options.splits - 1, np.mean(values), np.std(values), np.median(pvalues)), flush=True)


def qini(outcome, treated, score):
    """The Qini coefficient as scikit-uplift 0.5 has it (qini_auc_score, binary)."""
    def curve(score):
        order = np.argsort(score, kind="mergesort")[::-1]
        y, t, s = outcome[order], treated[order], score[order]
        ends = np.r_[np.where(np.diff(s))[0], len(s) - 1]
        nt, yt = np.cumsum(t)[ends], np.cumsum(y * t)[ends]
        nc, yc = ends + 1 - nt, np.cumsum(y)[ends] - yt
        gain = yt - yc * np.divide(nt, nc, out=np.zeros(len(nt)), where=nc != 0)
        return np.r_[0, ends + 1], np.r_[0, gain]

    def area(x, y):
        return np.sum(np.diff(x) * (y[1:] + y[:-1]) / 2)
    x, y = curve(score)
    perfect_x, perfect_y = curve(outcome * treated - outcome * (1 - treated))
    random = area(np.array([0, x[-1]]), np.array([0, y[-1]]))
    return (area(x, y) - random) / (area(perfect_x, perfect_y) - random)


def average(options):
    program = ImpactIQ(options.impactiq)
    for clustered in (False, True):
        covered, widths = [], []
        for replication in range(options.replications):
            rng = np.random.default_rng(options.seed + replication)
            X, T, Y, tau = draw("A", 1000, options.seed + replication)
            columns, words = dict(t=T.astype(int), y=Y), []
            if clustered:
                cluster = np.repeat(np.arange(100), 10)
                columns["y"] = Y + rng.normal(size=100)[cluster] * 0.5
                columns["c"], words = cluster, ["--cluster", "c"]
            rows = program.write("rows.csv", X, **columns)
            report, _ = program.train(rows, "--trees", 200, "--offset", "none", *words)
            effect = report["outcomes"][0]["effects"][0]
            truth = 0.5  # E[(x1 + x2) / 2]
            covered.append(abs(effect["average"] - truth) <= 1.959964 * effect["std_error"])
            widths.append(effect["std_error"])
        n = len(covered)
        print("average effect%s: 95 %% interval holds the truth in %.3f of %d (Monte-Carlo error %.3f), std. error %.3f" % (
            ", clusters" if clustered else "", np.mean(covered), n, np.sqrt(0.95 * 0.05 / n), np.mean(widths)), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["quality", "speed", "whole", "hillstrom", "average"])
    parser.add_argument("--impactiq", default=str(REPOSITORY / ".build/release/impactiq"))
    parser.add_argument("--replications", type=int, default=8)
    parser.add_argument("--rows", type=int, default=2000)
    parser.add_argument("--trees", type=int, default=500)
    parser.add_argument("--designs", default="ABCDSNEF")
    parser.add_argument("--modes", help="comma-separated, of " + ", ".join(MODES))
    parser.add_argument("--cache", help="folder to keep EconML's answers in")
    parser.add_argument("--seed", type=int, default=900)
    parser.add_argument("--splits", type=int, default=10)
    parser.add_argument("--data", default=str(REPOSITORY.parent / "shared/data/hillstrom/hillstrom.csv"))
    options = parser.parse_args()
    dict(quality=quality, speed=speed, whole=whole, hillstrom=hillstrom, average=average)[options.what](options)


if __name__ == "__main__":
    main()
