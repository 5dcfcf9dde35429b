#!/usr/bin/env python3
"""Export a fitted EconML causal forest for ImpactIQ: `impactiq model import econml FILE.npz`.

    from econml_export import export
    export(estimator, "forest.npz", feature_names=["recency", "history"])

or, for an estimator that was saved with joblib or pickle (loading one runs code that is inside it: trust its origin),

    python econml_export.py model.joblib forest.npz --features recency,history

The file is an ordinary numpy .npz. Nodes of all trees stand one after another; tree t is nodes offsets[t] ..< offsets[t+1].

    offsets        int64   (trees + 1,)
    left, right    int32   (nodes,)        child index inside the tree, -1 at a leaf
    feature        int32   (nodes,)        feature of the split; -1 at a leaf
    threshold      float64 (nodes,)        x <= threshold goes left; 0 at a leaf
    jac            float64 (nodes, p * p)  honest-leaf mean of w T T', row major; 0 above the leaves
    precond        float64 (nodes, p)      honest-leaf mean of w y T; 0 above the leaves
    p, q           int64   ()              parameters (with the intercept, which is last), treatment parameters
    subforest_size int64   ()              trees of one little bag; the bags are consecutive; 0: no intervals
    feature_importance float64 (features,) EconML's own: heterogeneity gained, weighted by depth, sums to 1
    metadata       uint8   (bytes,)        UTF-8 JSON: format version, names, treatment, provenance

A second outcome's arrays have the suffix `_1` (`offsets_1`, `left_1`, ...), a third's `_2`.

An array is written tree by tree, so exporting needs the memory of one tree beside the estimator itself.
Verified with econml 0.17.0.
"""
import argparse
import datetime
import inspect
import json
import os
import platform
import sys
import zipfile

import numpy as np

FORMAT_VERSION = 1


class ExportError(Exception):
    """The estimator cannot be exported; the message says why and what to do."""


def export(est, path, feature_names=None, treatment_names=None, outcome_names=None, fitted_on=None, notes=None,
           compress=True):
    """Write the fitted `est` (CausalForestDML, or econml.grf.CausalForest) to `path`; returns the metadata written.

    feature_names    names of the columns of X, in order; default: those of the data frame it was fitted on
    treatment_names  one a treatment parameter; default: the categories without the control, or T0, T1, ...
    outcome_names    one an outcome; default Y0, Y1, ...
    fitted_on        the day or time of the fit (a string, or a date), for the model's provenance
    notes            anything JSON that should stay with the model (data source, commit, ticket)
    """
    model = _describe(est, feature_names, treatment_names, outcome_names)
    metadata = {
        "format": "impactiq-econml",
        "format_version": FORMAT_VERSION,
        "feature_names": model["features"],
        "treatment": model["treatment"],
        "outcome_names": model["outcomes"],
        "outcomes": len(model["forests"]),
        "provenance": _provenance(est, model, fitted_on, notes),
    }
    path = os.fspath(path)
    partial = path + ".partial"
    try:
        with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED if compress else zipfile.ZIP_STORED,
                             allowZip64=True) as archive:
            text = json.dumps(metadata, ensure_ascii=False, sort_keys=True).encode("utf-8")
            _write(archive, "metadata", np.uint8, (len(text),), [np.frombuffer(text, np.uint8)])
            for outcome, forest in enumerate(model["forests"]):
                _write_forest(archive, forest, "" if outcome == 0 else "_%d" % outcome)
        os.replace(partial, path)
    except BaseException:
        if os.path.exists(partial):
            os.remove(partial)
        raise
    return metadata


def _describe(est, feature_names, treatment_names, outcome_names):
    """What is exported: one forest an outcome, and the names."""
    import econml.grf
    from econml.dml import CausalForestDML

    if isinstance(est, CausalForestDML):
        if est.featurizer is not None:
            raise ExportError(
                "this forest has a featurizer (%r): it splits on columns that are computed from X, which ImpactIQ does "
                "not have. Compute them beforehand and fit with featurizer=None" % (est.featurizer,))
        if getattr(est, "_original_treatment_featurizer", None) is not None:
            raise ExportError(
                "this forest has a treatment_featurizer (%r): its effects depend on the treatment's level. "
                "Fit on the treatment itself" % (est.treatment_featurizer,))
        try:
            forests = list(est.model_final_.estimators_)
        except AttributeError:
            raise ExportError("this CausalForestDML is not fitted: call fit first") from None
        names = getattr(est, "_input_names", None) or {}
        found = list(names.get("feature_names") or [])
        outcomes = list(names.get("output_names") or [])
        treatment = _treatment(est, treatment_names)
    elif isinstance(est, econml.grf.CausalForest):
        forests, found, outcomes = [est], list(getattr(est, "feature_names_in_", [])), []
        treatment = {"kind": "continuous", "control": None, "categories": None}
        treatment["names"] = _names("treatment_names", treatment_names, None, est.n_relevant_outputs_, "T") \
            if hasattr(est, "estimators_") else []
    else:
        raise ExportError(
            "cannot export %s.%s: only econml.dml.CausalForestDML and econml.grf.CausalForest"
            % (type(est).__module__, type(est).__name__))
    for forest in forests:
        if not getattr(forest, "estimators_", None):
            raise ExportError("this forest is not fitted: call fit first")
    first = forests[0]
    width = int(first.n_features_)
    for forest in forests:
        if (forest.n_outputs_, forest.n_relevant_outputs_, forest.n_features_) != \
                (first.n_outputs_, first.n_relevant_outputs_, first.n_features_):
            raise ExportError("the forests of this estimator's outcomes differ in features or treatments")
    if len(treatment["names"]) != first.n_relevant_outputs_:
        raise ExportError("%d treatment names for a forest of %d treatment parameters"
                          % (len(treatment["names"]), first.n_relevant_outputs_))
    return {
        "forests": forests,
        "treatment": treatment,
        "features": _names("feature_names", feature_names, found, width, "X"),
        "outcomes": _names("outcome_names", outcome_names, outcomes, len(forests), "Y"),
    }


def _treatment(est, names):
    """The treatment of a CausalForestDML: its kind, its control and the names of its parameters."""
    count = int(est.model_final_.estimators_[0].n_relevant_outputs_)
    if not est.discrete_treatment:
        found = list((getattr(est, "_input_names", None) or {}).get("treatment_names") or [])
        return {"kind": "continuous", "control": None, "categories": None,
                "names": _names("treatment_names", names, found, count, "T")}
    categories = [str(c) for c in est.transformer.categories_[0]]
    return {"kind": "discrete", "control": categories[0], "categories": categories,
            "names": _names("treatment_names", names, categories[1:], count, "T")}


def _names(what, given, found, count, letter):
    names = [str(n) for n in given] if given is not None else [str(n) for n in (found or [])]
    if given is None and len(names) != count:
        names = ["%s%d" % (letter, i) for i in range(count)]
    if len(names) != count:
        raise ExportError("%s holds %d names (%s), but the forest has %d" % (what, len(names), ", ".join(names), count))
    repeated = sorted({n for n in names if names.count(n) > 1})
    if repeated:
        raise ExportError("%s repeats %s" % (what, ", ".join(repeated)))
    return names


def _provenance(est, model, fitted_on, notes):
    import econml
    import sklearn

    parameters = {}
    for name in inspect.signature(type(est).__init__).parameters:  # CausalForestDML has no get_params
        if hasattr(est, name):
            value = getattr(est, name)
            plain = isinstance(value, (bool, int, str, type(None))) or isinstance(value, float) and np.isfinite(value)
            parameters[name] = value if plain else repr(value)[:200]
    forest = model["forests"][0]
    return {
        "library": "econml",
        "econml_version": econml.__version__,
        "versions": {"econml": econml.__version__, "scikit-learn": sklearn.__version__, "numpy": np.__version__,
                     "python": platform.python_version()},
        "estimator": type(est).__name__,
        "parameters": parameters,
        "training_rows": int(max(forest.n_samples_)),
        "rows_a_tree": int(max(forest.n_samples_subsample_)),
        "fitted_on": None if fitted_on is None else str(fitted_on),
        "notes": notes,
    }


def _bags(forest):
    """The trees in the order of their little bags, and the size of a bag (0: fitted with inference=False)."""
    if not forest.inference_:
        return list(range(len(forest.estimators_))), 0
    bags = [[int(t) for t in bag] for bag in forest.slices_]
    sizes = sorted({len(bag) for bag in bags})
    if len(sizes) != 1:
        raise ExportError(
            "the little bags of this forest have different sizes (%s), as a warm start with another subforest_size "
            "makes them. Fit it in one go" % ", ".join(map(str, sizes)))
    order = [t for bag in bags for t in bag]
    if sorted(order) != list(range(len(forest.estimators_))):
        raise ExportError("the little bags of this forest do not hold every tree once")
    return order, sizes[0]


def _write_forest(archive, forest, suffix):
    order, bag = _bags(forest)
    trees = [forest.estimators_[t] for t in order]
    counts = [int(t.tree_.node_count) for t in trees]
    nodes, p, q = sum(counts), int(forest.n_outputs_), int(forest.n_relevant_outputs_)

    def each(attribute, kind, at_leaf=None, above=None, width=None):
        """The attribute of one tree after another; leaves (or the nodes above them) overwritten, which packs better."""
        for tree in trees:
            values = np.array(getattr(tree.tree_, attribute), dtype=kind)
            if width is not None:
                values = values.reshape(len(values), width)
            leaf = tree.tree_.children_left < 0
            if at_leaf is not None:
                values[leaf] = at_leaf
            if above is not None:
                values[~leaf] = above
            yield np.ascontiguousarray(values)

    def one(name, kind, shape, chunks):
        _write(archive, name + suffix, kind, shape, chunks)

    one("p", np.int64, (), [np.int64(p)])
    one("q", np.int64, (), [np.int64(q)])
    one("subforest_size", np.int64, (), [np.int64(bag)])
    one("offsets", np.int64, (len(trees) + 1,), [np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)])
    importance = np.nan_to_num(np.asarray(forest.feature_importances(), dtype=np.float64))
    one("feature_importance", np.float64, (len(importance),), [importance])
    one("left", np.int32, (nodes,), each("children_left", np.int32, at_leaf=-1))
    one("right", np.int32, (nodes,), each("children_right", np.int32, at_leaf=-1))
    one("feature", np.int32, (nodes,), each("feature", np.int32, at_leaf=-1))
    one("threshold", np.float64, (nodes,), each("threshold", np.float64, at_leaf=0))
    one("jac", np.float64, (nodes, p * p), each("jac", np.float64, above=0, width=p * p))
    one("precond", np.float64, (nodes, p), each("precond", np.float64, above=0, width=p))


def _write(archive, name, kind, shape, chunks):
    """One array, chunk by chunk. The time stamp is fixed, so that the same forest gives the same bytes."""
    entry = zipfile.ZipInfo(name + ".npy", date_time=(1980, 1, 1, 0, 0, 0))
    entry.compress_type = archive.compression
    kind = np.dtype(kind).newbyteorder("<") if np.dtype(kind).itemsize > 1 else np.dtype(kind)
    with archive.open(entry, "w", force_zip64=True) as out:
        header = {"descr": np.lib.format.dtype_to_descr(kind), "fortran_order": False, "shape": tuple(shape)}
        np.lib.format.write_array_header_1_0(out, header)
        for chunk in chunks:
            out.write(np.asarray(chunk, dtype=kind).tobytes())


def _list(text):
    """`a,b,c`, or `@FILE`: a JSON array of names, or the "features" of an ImpactIQ feature specification."""
    if not text.startswith("@"):
        return [name.strip() for name in text.split(",")]
    with open(text[1:], encoding="utf-8") as file:
        content = json.load(file)
    if isinstance(content, dict):
        return [feature["name"] for feature in content["features"]]
    return content


def main(arguments=None):
    parser = argparse.ArgumentParser(
        description="Export a fitted EconML causal forest, saved with joblib or pickle, for `impactiq model import econml`.",
        epilog="example: python econml_export.py model.joblib forest.npz --features @features.json")
    parser.add_argument("model", help="the saved estimator (loading it runs code inside it: trust its origin)")
    parser.add_argument("output", help="the .npz to write")
    parser.add_argument("--features", type=_list, help="names of the columns of X: a,b,c, or @FILE.json")
    parser.add_argument("--treatments", type=_list, help="names of the treatment parameters")
    parser.add_argument("--outcomes", type=_list, help="names of the outcomes")
    parser.add_argument("--fitted-on", help="day of the fit (default: the time of the model's file)")
    parser.add_argument("--notes", help="a line that stays with the model")
    parser.add_argument("--no-compress", action="store_true", help="faster, larger")
    options = parser.parse_args(arguments)
    import joblib

    try:
        fitted_on = options.fitted_on or datetime.datetime.fromtimestamp(
            os.path.getmtime(options.model), datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        metadata = export(joblib.load(options.model), options.output, options.features, options.treatments,
                          options.outcomes, fitted_on, options.notes, compress=not options.no_compress)
    except (ExportError, OSError, ImportError) as error:
        print("econml_export: %s" % error, file=sys.stderr)
        return 65 if isinstance(error, ExportError) else 1
    print("%s: %d features, treatment %s, outcome %s, %d bytes" % (
        options.output, len(metadata["feature_names"]), ", ".join(metadata["treatment"]["names"]),
        ", ".join(metadata["outcome_names"]), os.path.getsize(options.output)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
