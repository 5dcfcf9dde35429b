#!/usr/bin/env python3
"""Fit the tests' EconML model of a real trial (the example's comes from examples/hillstrom/train): whom does the women's e-mail of Hillstrom's MineThatData trial (2008) bring to the shop?

    python exporters/hillstrom_fit.py hillstrom.csv hillstrom.npz        # in an environment with econml 0.17

Women's e-mail against none, outcome `visit`; fitted on 70 % of the 42,693 customers of these two arms (stratified by arm
and outcome, seed 42), CausalForestDML with 400 trees, leaves of 100, depth 8. Writes the forest, and EconML's own effect
and standard error of the other 12,808 customers to Tests/Golden/econml-hillstrom.csv (`row` is the line of the customer in
hillstrom.csv, counted from 0 after the header). The model file then comes from

    impactiq model import econml hillstrom.npz --features examples/hillstrom/features.json --name hillstrom --version 1 \\
        --out Tests/Golden/econml-hillstrom.model

All features but `history` are whole numbers. `history` is an amount in cents' precision (142.44), which no binary float
holds exactly: it is rounded to float32 here, before fitting and predicting, as the engine rounds it when it scores.
The data is not part of the repository (no licence for redistribution was found).
"""
import argparse
import hashlib
import json
import pathlib
import sys
import warnings

import numpy as np
import pandas as pd

HERE = pathlib.Path(__file__).resolve().parent
EXAMPLE = HERE.parent / "examples" / "hillstrom"
sys.path.insert(0, str(HERE))

from econml_export import export  # noqa: E402

PLAIN = ["recency", "history", "mens", "womens", "newbie"]


def features(customers):
    """-> (rows, 11) float64 that are exact float32, and their names: the columns of features.json."""
    columns = {name: customers[name] for name in PLAIN}
    for field, prefix in (("zip_code", "zip"), ("channel", "channel")):
        for value in sorted(customers[field].unique()):
            columns["%s_%s" % (prefix, value.lower())] = (customers[field] == value).astype(int)
    frame = pd.DataFrame(columns)
    return frame.to_numpy(np.float64).astype(np.float32).astype(np.float64), list(frame.columns)


def qini(outcome, treated, score):
    """The normalised area between the Qini curve and random targeting (Radcliffe 2007), as scikit-uplift has it."""
    from sklift.metrics import qini_auc_score
    return qini_auc_score(outcome, score, treated)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", help="hillstrom.csv")
    parser.add_argument("output", help="the .npz to write")
    parser.add_argument("--fitted-on", default="2026-11-21")
    parser.add_argument("--compare", help="earlier predictions of the same test rows (row, uplift): checks the split")
    options = parser.parse_args()
    warnings.filterwarnings("ignore")
    from econml.dml import CausalForestDML
    from lightgbm import LGBMClassifier, LGBMRegressor
    from sklearn.model_selection import train_test_split

    customers = pd.read_csv(options.data)
    arms = customers[customers.segment.isin(["Womens E-Mail", "No E-Mail"])]
    X, names = features(arms)
    expected_names = [f["name"] for f in json.loads((EXAMPLE / "features.json").read_text())["features"]]
    assert names == expected_names, (names, expected_names)
    treated = (arms.segment == "Womens E-Mail").to_numpy(int)
    visit = arms.visit.to_numpy(int)
    train, test = train_test_split(np.arange(len(arms)), test_size=0.3, random_state=42, stratify=2 * treated + visit)
    rows = arms.index.to_numpy()[test]

    nuisance = dict(n_estimators=100, random_state=42, n_jobs=1, deterministic=True, verbose=-1)
    forest = CausalForestDML(
        model_y=LGBMRegressor(**nuisance), model_t=LGBMClassifier(**nuisance), discrete_treatment=True, n_estimators=400,
        min_samples_leaf=100, max_depth=8, random_state=42, n_jobs=1)  # one thread: the sums of predictions come in one order
    forest.fit(visit[train], treated[train], X=X[train])

    export(forest, options.output, feature_names=names, treatment_names=["womens_email"], outcome_names=["visit"],
           fitted_on=options.fitted_on,
           notes={"data": "Hillstrom MineThatData e-mail trial 2008",
                  "data_sha256": hashlib.sha256(pathlib.Path(options.data).read_bytes()).hexdigest(),
                  "rows": "women's e-mail against none; 70 % of them, stratified by arm and visit, seed 42"})
    inference = forest.effect_inference(X[test])
    effect, error = np.ravel(inference.point_estimate), np.ravel(inference.stderr)
    with open(HERE.parent / "Tests" / "Golden" / "econml-hillstrom.csv", "w", newline="\n") as out:
        out.write("row,effect,std_error\n")
        for i in range(len(test)):
            out.write("%d,%r,%r\n" % (rows[i], float(effect[i]), float(error[i])))
    print("%d train and %d test rows, Qini on the test rows %.6f" % (
        len(train), len(test), qini(visit[test], treated[test], effect)))
    if options.compare:
        earlier = pd.read_csv(options.compare)
        assert list(earlier.row) == list(rows), "the split differs"
        print("same test rows in the same order as %s; its Qini %.6f, correlation of the effects %.4f" % (
            options.compare, qini(earlier.y, earlier.t, earlier.uplift), np.corrcoef(earlier.uplift, effect)[0, 1]))


if __name__ == "__main__":
    main()
