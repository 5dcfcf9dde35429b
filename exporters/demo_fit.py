#!/usr/bin/env python3
r"""Fit the benchmarks' model on the simulated trial with EconML (the demo's comes from examples/demo/train).

    impactiq demo rows --seed 101 --users 30k --rows 120k --out train.csv
    impactiq demo rows --seed 102 --users 30k --rows 20k --out test.csv
    python exporters/demo_fit.py train.csv demo.npz --test test.csv        # in an environment with econml 0.17
    impactiq model import econml demo.npz --features examples/demo/features.json --name demo --version 1 \
        --out Tests/Golden/econml-demo.model

Trees see a fifth of the rows and have small leaves: more variance, less bias, and so intervals that hold the truth more
often (89 % of the test rows; with 45 % of the rows and leaves of 100 it was 75 %).

A row is one assignment of the trial, the features as the stream computed them at that event, point in time:
features…, treatment, propensity, outcome, and the truth that only a simulation knows (segment, effect).
The truth is used for the table at the end alone, never for the fit.
"""
import argparse
import json
import pathlib
import sys

import numpy as np
import pandas as pd

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

SEGMENTS = ["persuadable", "sure_thing", "lost_cause", "sleeping_dog"]


def read(path, names):
    """-> features (float64 that are exact float32, as the engine holds them), treatment, outcome, the whole frame"""
    frame = pd.read_csv(path)
    missing = [name for name in names if name not in frame.columns]
    if missing:
        sys.exit("%s lacks the columns %s" % (path, ", ".join(missing)))
    features = frame[names].to_numpy(np.float64).astype(np.float32).astype(np.float64)
    if not np.isfinite(features).all():
        sys.exit("%s has features that are missing; the specification should give them a default" % path)
    return features, frame["treatment"].to_numpy(int), frame["outcome"].to_numpy(float), frame


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rows", help="training rows of 'impactiq demo rows'")
    parser.add_argument("output", help="the .npz to write")
    parser.add_argument("--test", required=True, help="rows of another seed, for the table of truth against estimate")
    parser.add_argument("--trees", type=int, default=80)
    parser.add_argument("--leaf", type=int, default=25, help="least rows in a leaf")
    parser.add_argument("--share", type=float, default=0.2, help="share of the rows that a tree sees")
    options = parser.parse_args()
    from econml.dml import CausalForestDML
    from econml_export import export
    from lightgbm import LGBMRegressor
    from sklearn.dummy import DummyClassifier

    specification = json.loads((HERE.parent / "examples" / "demo" / "features.json").read_text())
    names = [feature["name"] for feature in specification["features"]]
    X, treatment, outcome, train = read(options.rows, names)
    forest = CausalForestDML(
        model_y=LGBMRegressor(n_estimators=150, num_leaves=15, learning_rate=0.05, min_child_samples=200, random_state=1,
                              n_jobs=1, deterministic=True, verbose=-1),
        model_t=DummyClassifier(strategy="prior"),  # the trial is randomised: the propensity is a constant
        discrete_treatment=True, n_estimators=options.trees, min_samples_leaf=options.leaf, max_depth=None,
        max_samples=options.share, random_state=1,
        n_jobs=1)
    forest.fit(outcome, treatment, X=X)
    export(forest, options.output, feature_names=names, treatment_names=["ad"], outcome_names=["conversion"],
           notes={"data": "simulated trial (impactiq demo rows)", "rows": len(train)})

    X, treatment, outcome, test = read(options.test, names)
    inference = forest.effect_inference(X)
    estimate, error = np.ravel(inference.point_estimate), np.ravel(inference.stderr)
    truth = test["effect"].to_numpy()
    print("%-13s %7s %8s %9s %10s %8s" % ("segment", "rows", "truth", "estimate", "std_error", "treat"))
    for segment in SEGMENTS + ["all"]:
        chosen = np.ones(len(test), bool) if segment == "all" else (test["segment"] == segment).to_numpy()
        lower = estimate[chosen] - 1.959964 * error[chosen]
        print("%-13s %7d %8.4f %9.4f %10.4f %7.1f%%" % (
            segment, chosen.sum(), truth[chosen].mean(), estimate[chosen].mean(), error[chosen].mean(),
            100 * (lower > 0).mean()))
    covered = np.abs(estimate - truth) <= 1.959964 * error
    print("correlation with the truth %.3f, 95 %% intervals that hold it %.1f %%, nodes %d" % (
        np.corrcoef(estimate, truth)[0, 1], 100 * covered.mean(),
        sum(t.tree_.node_count for t in forest.model_final_.estimators_[0].estimators_)))


if __name__ == "__main__":
    main()
