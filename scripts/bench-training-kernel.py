#!/usr/bin/env python3
"""Hold the grower's C kernels alone against EconML's CausalForest, without the program: quality and CPU time a tree.

    scripts/bench-training-kernel.py quality [--replications 4] [--designs ABCDSNEF] [--cache FOLDER]
    scripts/bench-training-kernel.py speed
    scripts/bench-training-kernel.py growth                     # 10,000 to 10,000,000 rows, 10 to 200 features

Compiles Sources/C/CTraining with clang into a temporary library. Designs, residuals and EconML are those of
scripts/bench-training.py, which measures the whole program.
"""
import argparse
import ctypes as C
import importlib.util
import pathlib
import subprocess
import tempfile
import time

import numpy as np
from scipy.stats import norm

REPOSITORY = pathlib.Path(__file__).resolve().parent.parent
loader = importlib.util.spec_from_file_location("bench", REPOSITORY / "scripts/bench-training.py")
bench = importlib.util.module_from_spec(loader)
loader.loader.exec_module(bench)

KERNELS = ["scalar", "avx2", "avx512"]


class Rows(C.Structure):
    _fields_ = [("bins", C.c_void_p), ("rows", C.c_uint64), ("features", C.c_uint32), ("values", C.c_void_p),
                ("treatments", C.c_uint32), ("has_weights", C.c_uint32), ("clusters", C.c_void_p)]


class Settings(C.Structure):
    _fields_ = [("split_leaf", C.c_uint32), ("estimate_leaf", C.c_uint32), ("features_tried", C.c_uint32),
                ("max_depth", C.c_uint32), ("balance", C.c_float), ("least_variance", C.c_float),
                ("split_share", C.c_float), ("estimate_share", C.c_float), ("monotone", C.c_void_p)]


class Step(C.Structure):
    _fields_ = [("right", C.c_uint32), ("feature", C.c_uint16), ("bin", C.c_uint8), ("missing_left", C.c_uint8)]


class Tree(C.Structure):
    _fields_ = [("nodes", C.c_uint32), ("leaves", C.c_uint32)] + [
        (name, C.c_void_p)
        for name in ("left", "right", "feature", "leaf", "bin", "missing_left", "payload")
    ] + [("node_room", C.c_uint32), ("leaf_room", C.c_uint32)]


def library():
    folder = tempfile.mkdtemp()
    source = REPOSITORY / "Sources/C/CTraining"
    subprocess.run(["clang", "-O2", "-shared", "-fPIC", "-I", source / "include", *sorted(source.glob("*.c")),
                    "-o", folder + "/kernel.so"], check=True)
    lib = C.CDLL(folder + "/kernel.so")
    lib.ctraining_space_create.restype = C.c_void_p
    lib.ctraining_space_create.argtypes = [C.c_uint64, C.c_uint32, C.c_uint32]
    lib.ctraining_grow.argtypes = [C.c_int] + [C.c_void_p] * 3 + [C.c_uint64] * 2 + [C.c_void_p] * 2
    lib.ctraining_sample.argtypes = [C.c_uint64] * 3 + [C.c_void_p]
    lib.ctraining_steps.argtypes = [C.c_void_p] * 2
    lib.ctraining_leaves.argtypes = [C.c_void_p] * 3 + [C.c_uint64] * 2 + [C.c_void_p]
    return lib


class Forest:
    def __init__(self, lib, X, t, y, trees, leaf, subsample, honesty, seed, kernel=2, keep=True):
        n, p = X.shape
        self.lib, self.features = lib, p
        sample = X[:: max(1, n // 65536)]
        self.cuts = [np.unique(np.quantile(sample[:, f], np.arange(1, 255) / 255)) for f in range(p)]
        bins = self.bin(X)
        values = np.stack([t, y], 1).astype(np.float32)
        rows = Rows(bins.ctypes.data, n, p, values.ctypes.data, 1, 0, None)
        settings = Settings(leaf, leaf, p, 10_000, 0.05, 0, subsample * honesty, subsample * (1 - honesty), None)
        space, chosen = lib.ctraining_space_create(n, p, 2), np.zeros(n + 1, np.uint32)
        rng = np.random.default_rng(seed)
        self.trees, self.payload = [], []
        start = time.process_time()
        tree = Tree()
        for number in range(trees):
            if number % 2 == 0:
                lib.ctraining_sample(int(rng.integers(1 << 62)), n, n // 2, chosen.ctypes.data)
            if keep:
                tree = Tree()
            if not lib.ctraining_grow(kernel, C.byref(rows), C.byref(settings), chosen.ctypes.data, n // 2,
                                      int(rng.integers(1 << 62)), space, C.byref(tree)):
                raise MemoryError
            if keep:
                self.trees.append(tree)
                leaves = C.cast(tree.payload, C.POINTER(C.c_double))
                self.payload.append(np.ctypeslib.as_array(leaves, (tree.leaves, 2)).copy())
        self.seconds = time.process_time() - start

    def bin(self, X):
        bins = np.zeros(((self.features + 15) // 16, len(X), 16), np.uint8)
        for f in range(self.features):
            bins[f // 16, :, f % 16] = 1 + np.searchsorted(self.cuts[f], X[:, f], side="left")
        return bins

    def predict(self, X):
        """-> effect, standard error by the bag of little bootstraps, as the scorer has it."""
        bins, n = self.bin(X), len(X)
        rows, leaf = Rows(bins.ctypes.data, n, self.features, None, 1, 0, None), np.zeros(n, np.int32)
        moments = np.zeros((len(self.trees), n, 2))
        for number, tree in enumerate(self.trees):
            steps = (Step * tree.nodes)()
            self.lib.ctraining_steps(C.byref(tree), steps)
            self.lib.ctraining_leaves(C.byref(rows), C.byref(tree), steps, 0, n, leaf.ctypes.data)
            moments[number] = self.payload[number][leaf]
        mean = moments.mean(0)
        theta = mean[:, 0] / mean[:, 1]
        influence = ((moments[:, :, 0] - moments[:, :, 1] * theta) / mean[:, 1]).reshape(-1, 2, n)
        group = influence.mean(1)
        between = (group ** 2).mean(0) - group.mean(0) ** 2
        noise = (influence ** 2).mean((0, 1)) - (group ** 2).mean(0)
        naive, error = between - noise, np.maximum(np.maximum(between, noise) * np.sqrt(2 / len(group)), 1e-10)
        z = np.maximum(naive / error, -25)
        return theta, np.sqrt(np.maximum(naive + error * norm.pdf(z) / norm.cdf(z), 0))


MODES = {"equal settings": dict(leaf=5, subsample=0.9, honesty=0.5), "forest alone": dict(leaf=10, subsample=1, honesty=0.6)}


def quality(options, lib):
    ratios = {mode: [] for mode in MODES}
    for name in options.designs:
        found = {mode: [] for mode in ["EconML"] + list(MODES)}
        for seed in range(options.seed, options.seed + options.replications):
            X, T, Y, _ = bench.draw(name, options.rows, seed)
            test, _, _, tau = bench.draw(name, 1000, seed + 500_000)
            t, y = bench.residuals(X, T, Y, seed)
            key = "%s-%d-%d-%d" % (name, options.rows, options.trees, seed)
            answers = {"EconML": bench.cached(options, key, lambda: bench.econml(X, t, y, test, seed, options.trees)[:2])}
            for mode, settings in MODES.items():
                answers[mode] = Forest(lib, X, t, y, options.trees, seed=seed, **settings).predict(test)
            for mode, (effect, error) in answers.items():
                found[mode].append((np.sqrt(np.mean((effect - tau) ** 2)), np.mean(np.abs(effect - tau) <= 1.959964 * error)))
        base, coverage = np.mean(found["EconML"], 0)
        line = "%s  EconML %.3f, coverage %.3f" % (name, base, coverage)
        for mode in MODES:
            own, coverage = np.mean(found[mode], 0)
            ratios[mode].append(own / base)
            line += "; %s %.3f, %.3f" % (mode, own / base, coverage)
        print(line, flush=True)
    for mode, values in ratios.items():
        print("%s: geometric mean %.3f, worst %.3f" % (mode, np.exp(np.mean(np.log(values))), max(values)))


def speed(options, lib):
    rng = np.random.default_rng(options.seed)
    for n, ours, theirs in ((10_000, 200, 40), (100_000, 40, 8), (1_000_000, 10, 4)):
        X = rng.normal(size=(n, 10)).astype(np.float32).astype(np.float64)
        t = (rng.random(n) < 0.5) - 0.5
        y = t * (X[:, 0] > 0) + rng.normal(size=n)
        other = bench.econml(X, t, y, None, 1, theirs) / theirs
        line = "%7d x 10: EconML %.1f ms per tree" % (n, 1e3 * other)
        for kernel, name in enumerate(KERNELS):
            if not lib.ctraining_supports(kernel):
                continue
            own = Forest(lib, X, t, y, ours, 5, 0.9, 0.5, 1, kernel, keep=False).seconds / ours
            line += "; %s %.3f ms, %.0f times" % (name, 1e3 * own, other / own)
        print(line, flush=True)


def growth(options, lib):
    """CPU time a tree (leaf 5) over n log n, relative to the first line's."""
    rng = np.random.default_rng(options.seed)
    for shapes in (((10_000, 10), (100_000, 10), (1_000_000, 10), (10_000_000, 10)),
                   ((100_000, 10), (100_000, 50), (100_000, 200))):
        first = None
        for n, p in shapes:
            X = rng.normal(size=(n, p)).astype(np.float32)
            t = (rng.random(n) < 0.5) - 0.5
            y = t * (X[:, 0] > 0) + rng.normal(size=n)
            trees = max(2, 2_000_000 // n // 2 * 2)
            seconds = Forest(lib, X, t, y, trees, 5, 0.9, 0.5, 1, options.kernel, keep=False).seconds / trees
            units = n * np.log(n) if len({p for _, p in shapes}) == 1 else p * np.log(p)
            first = first or seconds / units
            print("%9d x %3d: %9.3f ms per tree, %.2f of n log n" % (n, p, 1e3 * seconds, seconds / units / first),
                  flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["quality", "speed", "growth"])
    parser.add_argument("--replications", type=int, default=4)
    parser.add_argument("--rows", type=int, default=2000)
    parser.add_argument("--trees", type=int, default=500)
    parser.add_argument("--designs", default="ABCDSNEF")
    parser.add_argument("--seed", type=int, default=900)
    parser.add_argument("--kernel", type=int, default=2, help="0 scalar, 1 AVX2, 2 AVX-512")
    parser.add_argument("--cache", help="folder to keep EconML's answers in")
    options = parser.parse_args()
    dict(quality=quality, speed=speed, growth=growth)[options.what](options, library())


if __name__ == "__main__":
    main()
