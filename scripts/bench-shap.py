#!/usr/bin/env python3
"""Speed of exact Shapley values beside PyPI's shap, on one forest that both can read.

    /work/venv/bin/python scripts/bench-shap.py .build/release/impactiq [--trees 500] [--rows 1000]

A scikit-learn forest is written twice: shap's TreeExplainer (path-dependent) reads it as it is; `impactiq model import
econml` reads it as a forest whose leaves hold the numerator (the leaf's mean) and the denominator 1, so that its effect is
the forest's prediction. The covers are the training rows in both. Prints the seconds of both (ours include reading model and
CSV and writing JSON; CPU seconds too) and the largest difference of a contribution.
"""
import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time

import numpy as np


def npz(forest, path):
    metadata = json.dumps({
        "format": "impactiq-econml", "format_version": 1, "outcomes": 1, "outcome_names": ["Y"], "provenance": {},
        "feature_names": ["X%d" % i for i in range(forest.n_features_in_)],
        "treatment": {"kind": "continuous", "control": None, "categories": None, "names": ["T"]}})
    trees = [e.tree_ for e in forest.estimators_]
    offsets = np.concatenate([[0], np.cumsum([t.node_count for t in trees])]).astype(np.int64)
    leaf = np.concatenate([t.children_left < 0 for t in trees])
    values = np.concatenate([t.value[:, 0, 0] for t in trees])
    np.savez(path, offsets=offsets, left=np.concatenate([t.children_left for t in trees]).astype(np.int32),
             right=np.concatenate([t.children_right for t in trees]).astype(np.int32),
             feature=np.where(leaf, -1, np.concatenate([t.feature for t in trees])).astype(np.int32),
             threshold=np.where(leaf, 0.0, np.concatenate([t.threshold for t in trees])),
             jac=np.where(leaf, 1.0, 0.0)[:, None], precond=np.where(leaf, values, 0.0)[:, None],
             p=np.int64(1), q=np.int64(1), subforest_size=np.int64(0),
             metadata=np.frombuffer(metadata.encode(), np.uint8))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("impactiq")
    parser.add_argument("--trees", type=int, default=500)
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--features", type=int, default=12)
    parser.add_argument("--shap-rows", type=int, default=0, help="rows for shap, when all would take too long")
    options = parser.parse_args()
    import shap
    from sklearn.ensemble import RandomForestRegressor

    random = np.random.default_rng(7)
    train = random.normal(size=(5000, options.features)).astype(np.float32)
    y = train[:, 0] * (train[:, 1] > 0) + np.sin(train[:, 2]) + random.normal(size=len(train))
    # Every tree sees all rows, so that its covers are counts of the training rows; splits are drawn among few features.
    forest = RandomForestRegressor(options.trees, min_samples_leaf=10, max_features=3, bootstrap=False, random_state=1,
                                   n_jobs=-1).fit(train, y)
    rows = random.normal(size=(options.rows, options.features)).astype(np.float32)
    depth = max(e.tree_.max_depth for e in forest.estimators_)
    leaves = sum(e.tree_.n_leaves for e in forest.estimators_)
    print("forest: %d trees, %d leaves, deepest %d; %d rows, %d features; shap %s"
          % (options.trees, leaves, depth, options.rows, options.features, shap.__version__))

    with tempfile.TemporaryDirectory() as folder:
        names = ["X%d" % i for i in range(options.features)]
        for name, table in [("train.csv", train), ("rows.csv", rows)]:
            np.savetxt(os.path.join(folder, name), table, delimiter=",", header=",".join(names), comments="", fmt="%.9g")
        npz(forest, os.path.join(folder, "forest.npz"))
        model = os.path.join(folder, "forest.model")
        subprocess.run([options.impactiq, "model", "import", "econml", os.path.join(folder, "forest.npz"), "--out", model],
                       check=True, stdout=subprocess.DEVNULL)
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        start = time.time()
        output = subprocess.run(
            [options.impactiq, "model", "explain", "--model", model, "--background", os.path.join(folder, "train.csv"),
             "--json", os.path.join(folder, "rows.csv")], check=True, capture_output=True).stdout
        ours = time.time() - start
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = after.ru_utime - before.ru_utime
    answers = [json.loads(line) for line in output.splitlines()]
    mine = np.array([list(a["contributions"].values()) for a in answers])

    explained = options.shap_rows or options.rows
    explainer = shap.TreeExplainer(forest, feature_perturbation="tree_path_dependent")
    used = time.process_time()
    start = time.time()
    theirs = explainer.shap_values(rows[:explained], check_additivity=False)
    peer = (time.time() - start) * options.rows / explained
    peer_cpu = (time.process_time() - used) * options.rows / explained
    difference = np.abs(mine[:explained] - theirs).max()
    print("impactiq model explain: %.2f s, %.2f s CPU (whole command)" % (ours, cpu))
    print("shap TreeExplainer:     %.2f s, %.2f s CPU%s"
          % (peer, peer_cpu, "" if explained == options.rows else " (from %d rows)" % explained))
    print("ratio: %.1f (time), %.1f (CPU); largest difference of a contribution %.2e of %.2f"
          % (peer / ours, peer_cpu / cpu, difference, np.abs(theirs).max()))
    # Covers differ by the 0.01 that each leaf counts beside its rows.
    if difference > 0.01 * np.abs(theirs).max():
        sys.exit("the contributions differ")


if __name__ == "__main__":
    main()
