#!/usr/bin/env python3
"""Fit the small EconML forests that the tests import: Tests/ScoringTests/Resources/econml-*.npz and *.expected.csv.

    python exporters/make_test_models.py            # in an environment with econml 0.17

Every feature is a float32, so that EconML (which compares in double) and ImpactIQ see the same numbers. The expected
effects and standard errors are EconML's own; each row is: the features, then per outcome and treatment effect,std_error.
"""
import pathlib
import sys
import warnings

import numpy as np

HERE = pathlib.Path(__file__).resolve().parent
RESOURCES = HERE.parent / "Tests" / "ScoringTests" / "Resources"
sys.path.insert(0, str(HERE))

from econml_export import export  # noqa: E402


def data(seed, rows=1200, width=5):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(rows, width)).astype(np.float32).astype(np.float64)
    X[:, 2] = rng.integers(0, 4, rows)                        # repeated values meet thresholds exactly half-way
    X[:, 3] = np.round(X[:, 3], 1).astype(np.float32)
    return rng, X


def probes(seed, width=5):
    """New rows, some at the edges: zeros of both signs, huge, tiny and subnormal numbers."""
    _, X = data(seed + 1000, 36, width)
    edge = np.array([0.0, -0.0, 1e30, -1e30, 1e-40], dtype=np.float32).astype(np.float64)
    for i, value in enumerate(edge[:4]):
        X[i, :] = value
    X[4, :] = np.resize(edge, width)
    return X.astype(np.float32).astype(np.float64)


def write(name, est, X, inference, **names):
    """`inference` -> (effects, standard errors), each (rows, outcomes, treatments)."""
    metadata = export(est, RESOURCES / (name + ".npz"), feature_names=["x%d" % i for i in range(X.shape[1])],
                      fitted_on="2026-11-21", notes="exporters/make_test_models.py", **names)
    effect, error = inference
    effect = effect.reshape(len(X), metadata["outcomes"], -1)
    error = None if error is None else error.reshape(effect.shape)
    columns = ["x%d" % i for i in range(X.shape[1])]
    for o in metadata["outcome_names"]:
        for t in metadata["treatment"]["names"]:
            columns += ["effect:%s:%s" % (o, t)] + ([] if error is None else ["std_error:%s:%s" % (o, t)])
    with open(RESOURCES / (name + ".expected.csv"), "w", newline="\n") as out:
        out.write(",".join(columns) + "\n")
        for i in range(len(X)):
            values = list(X[i])
            for o in range(effect.shape[1]):
                for t in range(effect.shape[2]):
                    values += [effect[i, o, t]] + ([] if error is None else [error[i, o, t]])
            out.write(",".join(repr(float(v)) for v in values) + "\n")
    size = (RESOURCES / (name + ".npz")).stat().st_size
    print("%-28s %7d bytes, %s" % (name, size, metadata["treatment"]["names"]))
    assert size <= 200_000, name


def constant(est, X):
    inference = est.const_marginal_effect_inference(X)
    return inference.point_estimate, inference.stderr


def main():
    from econml.dml import CausalForestDML
    from econml.grf import CausalForest
    from sklearn.linear_model import LassoCV, LinearRegression, LogisticRegression  # noqa: F401

    warnings.filterwarnings("ignore")
    RESOURCES.mkdir(parents=True, exist_ok=True)
    first = dict(model_y=LinearRegression(), cv=2, n_jobs=1)
    forest = dict(n_estimators=40, min_samples_leaf=15, random_state=7)

    # Two arms and a control.
    rng, X = data(1)
    arm = rng.integers(0, 3, len(X))
    Y = X[:, 1] + (1 + X[:, 0]) * (arm == 1) - X[:, 3] * (arm == 2) + rng.normal(size=len(X))
    est = CausalForestDML(model_t=LogisticRegression(), discrete_treatment=True, categories=["none", "mail", "ad"],
                          **first, **forest)
    est.fit(Y, np.array(["none", "mail", "ad"])[arm], X=X)
    write("econml-two-arms", est, probes(1), constant(est, probes(1)))

    # Two outcomes, binary treatment, no intercept (p = q = 1).
    rng, X = data(2)
    T = rng.binomial(1, 0.4, len(X))
    Y = np.c_[X[:, 1] + X[:, 0] * T, np.abs(X[:, 2]) - T] + rng.normal(size=(len(X), 2))
    est = CausalForestDML(model_t=LogisticRegression(), discrete_treatment=True, fit_intercept=False, **first, **forest)
    est.fit(Y, T, X=X)
    write("econml-two-outcomes-no-intercept", est, probes(2), constant(est, probes(2)),
          outcome_names=["visit", "spend"])

    # Two arms and two outcomes with the intercept: p = 3 and several effects.
    rng, X = data(3)
    arm = rng.integers(0, 3, len(X))
    Y = np.c_[X[:, 0] * (arm == 1), X[:, 1] * (arm == 2)] + rng.normal(size=(len(X), 2))
    est = CausalForestDML(model_t=LogisticRegression(), discrete_treatment=True, **first,
                          **{**forest, "n_estimators": 24, "min_samples_leaf": 20})
    est.fit(Y, arm, X=X)
    write("econml-two-arms-two-outcomes", est, probes(3), constant(est, probes(3)))

    # Sample weights, min_var_fraction_leaf on the honest half, little bags of two, the other criterion.
    rng, X = data(4)
    T = rng.binomial(1, 0.5, len(X))
    Y = X[:, 1] + X[:, 0] * T + rng.normal(size=len(X))
    est = CausalForestDML(model_t=LogisticRegression(), discrete_treatment=True, criterion="het", subforest_size=2,
                          min_var_fraction_leaf=0.2, min_var_leaf_on_val=True, **first, **forest)
    est.fit(Y, T, X=X, sample_weight=rng.uniform(0.2, 3, len(X)))
    write("econml-weights-min-var", est, probes(4), constant(est, probes(4)))

    # Continuous treatments, two of them.
    rng, X = data(5)
    T = rng.normal(size=(len(X), 2)) + X[:, :2]
    Y = X[:, 1] + X[:, 0] * T[:, 0] + T[:, 1] + rng.normal(size=len(X))
    est = CausalForestDML(model_t=LinearRegression(), **first, **forest)
    est.fit(Y, T, X=X)
    write("econml-continuous", est, probes(5), constant(est, probes(5)), treatment_names=["price", "discount"])

    # The forest without the DML around it, no little bags: no intervals.
    rng, X = data(6)
    T = rng.binomial(1, 0.5, len(X)).astype(float)
    Y = X[:, 1] + X[:, 0] * T + rng.normal(size=len(X))
    est = CausalForest(inference=False, n_jobs=1, **forest).fit(X, T, Y)
    write("econml-no-inference", est, probes(6), (est.predict(probes(6)), None))


if __name__ == "__main__":
    main()
