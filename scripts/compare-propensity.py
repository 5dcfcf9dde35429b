#!/usr/bin/env python3
"""`impactiq train --kind response` beside scikit-learn: the same split, preprocessing and penalty.

    scripts/compare-propensity.py [ROWS.csv] [--outcome purchase] [--id customer_id] [--impactiq .build/release/impactiq]

Coefficients must agree to 1e-4, metrics at the same threshold to 1e-6, and the probabilities that the model file gives a CSV
to 1e-6. Needs pandas and scikit-learn (here /work/venv has them). The usual rows: ../shared/data/purchase/sessions.csv.
"""
import argparse, json, os, subprocess, sys, tempfile

import numpy as np
import pandas as pd
from sklearn import metrics
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, StandardScaler


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    usual = os.path.join(os.path.dirname(__file__), "../../shared/data/purchase/sessions.csv")
    if not os.path.exists(usual):
        usual = "/work/shared/data/purchase/sessions.csv"
    parser.add_argument("rows", nargs="?", default=usual)
    parser.add_argument("--outcome", default="purchase")
    parser.add_argument("--id", default="customer_id")
    parser.add_argument("--impactiq", default=".build/release/impactiq")
    options = parser.parse_args()
    failures = 0
    for scale in ("standard", "minmax"):
        failures += compare(options, scale)
    sys.exit(1 if failures else 0)


def compare(options, scale):
    with tempfile.TemporaryDirectory() as folder:
        model, split = os.path.join(folder, "purchase.model"), os.path.join(folder, "split.csv")
        command = [options.impactiq, "train", options.rows, "--kind", "response", "--outcome", options.outcome, "--id",
                   options.id, "--learner", "logistic", "--scale", scale, "--seed", "42", "--out", model,
                   "--save-split", split, "--json"]
        ours = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        scored = subprocess.run([options.impactiq, "model", "score", "--model", model, options.rows], check=True,
                                capture_output=True, text=True).stdout
        open(os.path.join(folder, "scored.csv"), "w").write(scored)
        probabilities = pd.read_csv(os.path.join(folder, "scored.csv"))["probability"].to_numpy()
        part = pd.read_csv(split)["part"].to_numpy()
    rows = pd.read_csv(options.rows)
    y = rows[options.outcome].to_numpy()
    x = rows.drop(columns=[options.outcome, options.id])
    numbers = [c for c in x.columns if pd.api.types.is_numeric_dtype(x[c])]
    train, test = part == "train", part == "test"
    fit = x[train].copy()
    # A column of whole numbers stays one: the median that fills it is rounded, halves to even.
    medians = {c: fit[c].median() for c in numbers}
    for c in numbers:
        known = fit[c].dropna()
        if (known == known.round()).all():
            medians[c] = np.round(medians[c])
    whole = x.copy()
    for c in numbers:
        whole[c] = whole[c].astype(np.float32).astype(float).fillna(np.float64(medians[c]))
    scaler = StandardScaler() if scale == "standard" else MinMaxScaler(clip=True)
    names, columns = [], []
    for c in x.columns:
        if c in numbers:
            scaler.fit(whole.loc[train, [c]])
            columns.append(scaler.transform(whole[[c]])[:, 0])
            names.append(c)
        else:
            levels = [v for v in x[c].dropna().unique() if v in set(fit[c].dropna())]
            for level in levels:
                columns.append((x[c] == level).to_numpy(float))
                names.append(f"{c}={level}")
            columns.append((~x[c].isin(levels)).to_numpy(float))
            names.append(f"{c}=?")
    z = np.column_stack(columns)
    peer = LogisticRegression(C=1.0, tol=1e-10, max_iter=100_000).fit(z[train], y[train])
    outcome = ours["outcomes"][0]
    assert [c["column"] for c in outcome["coefficients"]] == names, (names, outcome["coefficients"])
    mine = np.array([outcome["intercept"]] + [c["coefficient"] for c in outcome["coefficients"]])
    theirs = np.r_[peer.intercept_, peer.coef_[0]]
    p = peer.predict_proba(z)[:, 1]
    decided = p[test] >= outcome["threshold"]
    peers = {
        "accuracy": metrics.accuracy_score(y[test], decided), "precision": metrics.precision_score(y[test], decided),
        "recall": metrics.recall_score(y[test], decided), "f1": metrics.f1_score(y[test], decided),
        "roc_auc": metrics.roc_auc_score(y[test], p[test]), "pr_auc": metrics.average_precision_score(y[test], p[test]),
        "log_loss": metrics.log_loss(y[test], p[test]), "brier": metrics.brier_score_loss(y[test], p[test]),
    }
    distance = np.abs(mine - theirs).max()
    apart = np.abs(p - probabilities).max()
    print(f"{scale}: {train.sum()} training and {test.sum()} test rows, {len(names)} columns")
    print(f"  coefficients differ by at most {distance:.2e} (bar 1e-4), probabilities of all rows by {apart:.2e}")
    worst = 0.0
    for name, value in peers.items():
        worst = max(worst, abs(value - outcome["test"][name]))
        print(f"  {name:10} impactiq {outcome['test'][name]:.6f}  scikit-learn {value:.6f}  "
              f"everybody {outcome['everybody'][name] if outcome['everybody'][name] is not None else float('nan'):.4f}")
    for note in ours["notes"]:
        print("  note:", note)
    return int(distance > 1e-4 or worst > 1e-6 or apart > 1e-6)


main()
