#!/usr/bin/env python3
"""The forest engine beside its peers, in one run, interleaved, one thread each.

    scripts/bench-forest-peers.py [--work DIR] [--trees 500] [--rows 20000] [--rounds 5] [--clock wall|cpu]

Builds what is missing in DIR (default /tmp/impactiq-forest-bench): a virtual environment with econml, treelite,
tl2cgen and onnxruntime from PyPI, an EconML forest fitted on simulated data, its compiled tl2cgen library (many
minutes), its ONNX graph and its ImpactIQ model. Then each round measures every engine once; medians and the range of
the ratios are printed against the bars, and written to DIR/result.json.

All engines get float32 rows. The peers return the averages that a causal forest's effect is solved from (four values
a leaf: w·y·T twice, w·T², w·T; the fifth is 1), which is less than what ImpactIQ does: it also solves for the effect.
tl2cgen is compiled with branch annotation; ONNX Runtime has all graph optimisations; both have one thread.
`--clock cpu` counts processor time instead of wall time: for a machine that others use too.
"""
import argparse
import json
import os
import pickle
import statistics
import subprocess
import sys
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
PACKAGES = ["econml", "treelite", "tl2cgen", "onnx", "onnxruntime"]

# (work, peer, least ratio): the bars of the forest engine.
BARS = [
    ("effect, 1 row", "tl2cgen", 20), ("effect, 1 row", "onnxruntime", 15), ("effect, 1 row", "econml effect", 500),
    ("interval, 1 row", "econml effect_interval", 3000),
    ("effect, batch", "tl2cgen", 30), ("effect, batch", "onnxruntime", 10), ("effect, batch", "econml effect", 8),
    ("interval, batch", "econml effect_interval", 10),
]


def options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=Path("/tmp/impactiq-forest-bench"))
    parser.add_argument("--python", help="a Python that has the peers already, instead of a virtual environment")
    parser.add_argument("--bench", type=Path, default=REPOSITORY / ".build/release/impactiq-bench")
    parser.add_argument("--trees", type=int, default=500)
    parser.add_argument("--rows", type=int, default=20_000, help="rows that the forest is fitted on")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batch", type=int, default=1024)
    parser.add_argument("--clock", choices=["wall", "cpu"], default="wall")
    parser.add_argument("--skip", default="", help="peers to leave out, comma separated")
    return parser.parse_args()


def enter_environment(arguments):
    """Runs this script again with a Python that has the peers."""
    if os.environ.get("IMPACTIQ_PEERS") == "1":
        return
    python = arguments.python
    if not python:
        environment = arguments.work / "venv"
        python = str(environment / "bin/python")
        if not Path(python).exists():
            subprocess.run([sys.executable, "-m", "venv", str(environment)], check=True)
            subprocess.run([python, "-m", "pip", "install", "-q", *PACKAGES], check=True)
    one = {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")}
    os.execve(python, [python, *sys.argv], {**os.environ, **one, "IMPACTIQ_PEERS": "1"})


def fit(arguments):
    """The fitted estimator, its trees' arrays, and 20,000 rows to score."""
    import numpy as np

    tag = f"{arguments.rows}x{arguments.trees}"
    pickled, arrays, rows = (arguments.work / name for name in (f"est_{tag}.pkl", f"cf_{tag}.npz", "rows10.f32"))
    if not rows.exists():
        np.random.default_rng(11).normal(size=(20_000, 10)).astype(np.float32).tofile(rows)
    if not pickled.exists() or not arrays.exists():
        from econml.dml import CausalForestDML
        from sklearn.linear_model import LinearRegression, LogisticRegression

        rng = np.random.default_rng(7)
        features = rng.normal(size=(arguments.rows, 10)).astype(np.float32).astype(np.float64)
        treated = rng.binomial(1, 0.5, arguments.rows)
        noise = rng.normal(size=arguments.rows)
        outcome = features[:, 0] + (1 + features[:, 1]) * (features[:, 2] > 0) * treated + noise
        estimator = CausalForestDML(
            model_y=LinearRegression(), model_t=LogisticRegression(), discrete_treatment=True,
            n_estimators=arguments.trees, random_state=1, n_jobs=1, cv=2)
        estimator.fit(outcome, treated, X=features)
        forest = estimator.model_final_.estimators_[0]
        trees = [tree.tree_ for tree in forest.estimators_]

        def joined(name):
            return np.concatenate([getattr(t, name).reshape(t.node_count, -1) for t in trees]).squeeze()

        np.savez(
            arrays, offsets=np.cumsum([0] + [t.node_count for t in trees]), left=joined("children_left"),
            right=joined("children_right"), feature=joined("feature"), threshold=joined("threshold"),
            jac=joined("jac"), precond=joined("precond"), p=forest.n_outputs_, q=forest.n_relevant_outputs_,
            subforest_size=len(forest.slices_[0]))
        pickled.write_bytes(pickle.dumps(estimator))
    with pickled.open("rb") as file:
        return pickle.load(file), dict(np.load(arrays)), np.fromfile(rows, dtype=np.float32).reshape(-1, 10), arrays


def trees_of(forest):
    """left, right, feature, float32 threshold (rounded down) and the four leaf values of each tree."""
    import numpy as np

    threshold = forest["threshold"].astype(np.float32)
    above = threshold.astype(np.float64) > forest["threshold"]
    threshold[above] = np.nextafter(threshold[above], np.float32(-np.inf))
    values = np.column_stack([forest["precond"], forest["jac"][:, :2]]).astype(np.float32)
    for start, end in zip(forest["offsets"][:-1], forest["offsets"][1:]):
        part = slice(start, end)
        yield forest["left"][part], forest["right"][part], forest["feature"][part], threshold[part], values[part]


def build_tl2cgen(forest, features, work, tag):
    import tl2cgen
    import treelite
    from treelite.model_builder import Metadata, ModelBuilder, PostProcessorFunc, TreeAnnotation

    library = work / f"tl2cgen_{tag}.so"
    if not library.exists():
        count = len(forest["offsets"]) - 1
        builder = ModelBuilder(
            threshold_type="float32", leaf_output_type="float32",
            metadata=Metadata(num_feature=10, task_type="kRegressor", average_tree_output=True, num_target=4,
                              num_class=[1, 1, 1, 1], leaf_vector_shape=(4, 1)),
            tree_annotation=TreeAnnotation(num_tree=count, target_id=[-1] * count, class_id=[0] * count),
            postprocessor=PostProcessorFunc(name="identity"), base_scores=[0.0] * 4)
        for left, right, feature, threshold, values in trees_of(forest):
            builder.start_tree()
            for node in range(len(left)):
                builder.start_node(node)
                if left[node] < 0:
                    builder.leaf(values[node].tolist())
                else:
                    builder.numerical_test(
                        feature_id=int(feature[node]), threshold=float(threshold[node]), default_left=True,
                        opname="<=", left_child_key=int(left[node]), right_child_key=int(right[node]))
                builder.end_node()
            builder.end_tree()
        model = builder.commit()
        annotation = work / f"annotation_{tag}.json"
        tl2cgen.annotate_branch(model, dmat=tl2cgen.DMatrix(features[:5000]), path=str(annotation), nthread=1)
        begin = time.time()
        tl2cgen.export_lib(model, toolchain="gcc", libpath=str(library), nthread=2,
                           params={"parallel_comp": 64, "annotate_in": str(annotation)})
        print(f"tl2cgen compiled in {time.time() - begin:.0f} s", flush=True)
    return tl2cgen.Predictor(str(library), nthread=1)


def build_onnx(forest, work, tag):
    import numpy as np
    import onnx
    import onnxruntime
    from onnx import TensorProto, helper

    path = work / f"forest_{tag}.onnx"
    if not path.exists():
        n = {name: [] for name in ("treeids", "nodeids", "featureids", "values", "truenodeids", "falsenodeids", "modes",
                                   "missing_value_tracks_true")}
        t = {name: [] for name in ("treeids", "nodeids", "ids", "weights")}
        for index, (left, right, feature, threshold, values) in enumerate(trees_of(forest)):
            leaf = left < 0
            n["treeids"] += [index] * len(left)
            n["nodeids"] += range(len(left))
            n["featureids"] += np.where(leaf, 0, feature).tolist()
            n["values"] += np.where(leaf, 0, threshold).tolist()
            n["truenodeids"] += np.where(leaf, 0, left).tolist()
            n["falsenodeids"] += np.where(leaf, 0, right).tolist()
            n["modes"] += ["LEAF" if is_leaf else "BRANCH_LEQ" for is_leaf in leaf]
            n["missing_value_tracks_true"] += [0] * len(left)
            places = np.flatnonzero(leaf)
            t["treeids"] += [index] * (4 * len(places))
            t["nodeids"] += np.repeat(places, 4).tolist()
            t["ids"] += [0, 1, 2, 3] * len(places)
            t["weights"] += values[places].ravel().tolist()
        node = helper.make_node(
            "TreeEnsembleRegressor", ["X"], ["Y"], domain="ai.onnx.ml", n_targets=4, aggregate_function="AVERAGE",
            post_transform="NONE", **{f"nodes_{k}": v for k, v in n.items()}, **{f"target_{k}": v for k, v in t.items()})
        graph = helper.make_graph(
            [node], "forest", [helper.make_tensor_value_info("X", TensorProto.FLOAT, [None, 10])],
            [helper.make_tensor_value_info("Y", TensorProto.FLOAT, [None, 4])])
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)], ir_version=9)
        path.write_bytes(model.SerializeToString())
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = settings.inter_op_num_threads = 1
    settings.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    return onnxruntime.InferenceSession(str(path), settings, providers=["CPUExecutionProvider"])


def measure(call, rows, clock, seconds=0.4):
    """Microseconds a row of `call(index)`, which scores `rows` rows."""
    call(0)
    begin, calls = clock(), 0
    while clock() - begin < seconds or calls == 0:
        call(calls + 1)
        calls += 1
    return (clock() - begin) / calls / rows * 1e6


def main():
    arguments = options()
    arguments.work.mkdir(parents=True, exist_ok=True)
    enter_environment(arguments)
    import numpy as np

    tag = f"{arguments.rows}x{arguments.trees}"
    skipped = set(filter(None, arguments.skip.split(",")))
    estimator, forest, rows, arrays = fit(arguments)
    clock = time.process_time if arguments.clock == "cpu" else time.perf_counter
    batch = arguments.batch
    model = arguments.work / f"model_{tag}.impactiq"
    subprocess.run([str(arguments.bench), "forest", "import", str(arrays), str(model)], check=True,
                   stdout=subprocess.DEVNULL)

    singles = [np.ascontiguousarray(rows[i:i + 1]) for i in range(512)]
    blocks = [np.ascontiguousarray(rows[i:i + batch]) for i in range(0, len(rows) - batch + 1, batch)]
    wide = rows.astype(np.float64)
    singles64 = [wide[i:i + 1] for i in range(64)]
    cases = []  # (work, engine, call, rows)
    if "tl2cgen" not in skipped:
        import tl2cgen

        predictor = build_tl2cgen(forest, rows, arguments.work, tag)
        matrices = [tl2cgen.DMatrix(row) for row in singles], [tl2cgen.DMatrix(block) for block in blocks]
        cases += [("effect, 1 row", "tl2cgen", lambda i: predictor.predict(matrices[0][i % 512]), 1),
                  ("effect, batch", "tl2cgen", lambda i: predictor.predict(matrices[1][i % len(blocks)]), batch)]
    if "onnxruntime" not in skipped:
        session = build_onnx(forest, arguments.work, tag)
        cases += [("effect, 1 row", "onnxruntime", lambda i: session.run(None, {"X": singles[i % 512]}), 1),
                  ("effect, batch", "onnxruntime", lambda i: session.run(None, {"X": blocks[i % len(blocks)]}), batch)]
    if "econml" not in skipped:
        cases += [("effect, 1 row", "econml effect", lambda i: estimator.effect(singles64[i % 64]), 1),
                  ("interval, 1 row", "econml effect_interval",
                   lambda i: estimator.effect_interval(singles64[i % 64], alpha=0.05), 1),
                  ("effect, batch", "econml effect", lambda i: estimator.effect(wide), len(wide)),
                  ("interval, batch", "econml effect_interval",
                   lambda i: estimator.effect_interval(wide, alpha=0.05), len(wide))]

    def ours():
        command = [str(arguments.bench), "forest", "time", str(model), str(arguments.work / "rows10.f32"), "--json",
                   "--rounds", "1", "--seconds", "0.3", "--kernels", "avx512,avx2,scalar,neon", "--batches",
                   f"1,64,256,{batch},{len(rows)}", "--clock", arguments.clock]
        return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)

    agreement = check(arguments, model, estimator, wide)
    rounds = []
    for number in range(arguments.rounds):
        results = ours()
        best = results[0]["kernel"]
        times = {}
        for work, interval in (("effect", False), ("interval", True)):
            for name, size in (("1 row", 1), ("batch", batch)):
                times[f"{work}, {name}"] = next(
                    r["microseconds"] for r in results
                    if (r["kernel"], r["batch"], r["threads"], r["interval"]) == (best, size, 1, interval))
        peers = {(work, engine): measure(call, size, clock) for work, engine, call, size in cases}
        rounds.append({"impactiq": results, "times": times, "peers": [[*k, v] for k, v in peers.items()]})
        print(f"round {number + 1} of {arguments.rounds} done", file=sys.stderr, flush=True)
    report(arguments, rounds, agreement, forest)


def check(arguments, model, estimator, wide):
    """The largest difference of our effects and standard errors from EconML's own, on the benchmark's rows."""
    import numpy as np

    out = arguments.work / "scores.f64"
    subprocess.run([str(arguments.bench), "forest", "score", str(model), str(arguments.work / "rows10.f32"), str(out)],
                   check=True)
    scores = np.fromfile(out).reshape(-1, 2)
    inference = estimator.effect_inference(wide[:2000])
    return (float(np.abs(scores[:2000, 0] - inference.point_estimate.ravel()).max()),
            float(np.abs(scores[:2000, 1] - inference.stderr.ravel()).max()))


def report(arguments, rounds, agreement, forest):
    def spread(values):
        return f"{statistics.median(values):.1f}× ({min(values):.1f}–{max(values):.1f})"

    nodes = int(forest["offsets"][-1])
    print(f"\n{arguments.trees} trees, {nodes} nodes; {arguments.clock} time; differences from EconML: "
          f"effect {agreement[0]:.1e}, standard error {agreement[1]:.1e}\n")
    print("| kernel | rows a call | threads | effect µs/row | with interval µs/row |\n|---|---|---|---|---|")
    for index, result in enumerate(rounds[0]["impactiq"]):
        if result["interval"]:
            continue
        key = (result["kernel"], result["batch"], result["threads"])
        medians = []
        for interval in (False, True):
            values = [next((r["microseconds"] for r in round_["impactiq"]
                            if (r["kernel"], r["batch"], r["threads"], r["interval"]) == (*key, interval)))
                      for round_ in rounds]
            medians.append(statistics.median(values))
        print(f"| {key[0]} | {key[1]} | {key[2]} | {medians[0]:.2f} | {medians[1]:.2f} |")
    print("\n| work | peer | peer µs/row | ImpactIQ µs/row | times faster, median (range) | bar | |\n"
          "|---|---|---|---|---|---|---|")
    failed = False
    for work, peer, bar in BARS:
        pairs = [(next((t for w, p, t in r["peers"] if (w, p) == (work, peer)), None), r["times"][work]) for r in rounds]
        if any(p is None for p, _ in pairs):
            continue
        ratios = [p / ours for p, ours in pairs]
        passed = statistics.median(ratios) >= bar
        failed |= not passed
        print(f"| {work} | {peer} | {statistics.median(p for p, _ in pairs):.1f} | "
              f"{statistics.median(o for _, o in pairs):.2f} | {spread(ratios)} | ≥ {bar}× | "
              f"{'met' if passed else 'MISSED'} |")
    (arguments.work / "result.json").write_text(json.dumps(rounds))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
