import Base
import Features
import JSON
import Scoring

/// `GET /v1/model`: the model's card.
struct ModelRoute: Sendable {
    let served: ServedModel

    func answer(_ exchange: Exchange) throws(Problem) { write(to: exchange.out) }

    /// The model in brief, as `/health` has it.
    func writeBrief(to out: ByteBuffer) {
        out.object {
            names(out)
            out.member("trees", served.model.treeCount)
            out.member("features", served.model.featureCount)
        }
    }

    private func names(_ out: ByteBuffer) {
        out.member("name", served.model.name)
        out.member("version", served.model.version)
        out.member("sha256", served.model.sha256)
    }

    private func write(to out: ByteBuffer) {
        let model = served.model
        out.object {
            names(out)
            out.member("treatments", texts: model.treatments)
            out.member("outcomes", texts: model.outcomes)
            out.member("predicts", model.isResponse ? model.responseName : "effect")
            out.member("ads")
            if model.predictsProbabilities {
                out.list(model.outcomes.indices) { out.append(model.adThreshold(outcome: $0)) }
            } else {
                out.append("null")
            }
            out.member("missing_values", model.missingValues == .route ? "route" : "refuse")
            out.member("intervals", model.hasStandardErrors)
            out.member("scores_events", !model.specificationJSON.isEmpty)
            out.member("ci_level", served.level.level)
            out.member("threshold", served.threshold)
            out.member("bytes", model.byteCount)
            out.member("kernel", Kernel.best.rawValue)
            out.member("forests")
            out.list(model.summaries) { forest in
                out.object {
                    out.member("outcome", forest.outcome)
                    out.member("kind", forest.kind)
                    out.member("trees", forest.trees)
                    out.member("nodes", forest.nodes)
                    out.member("leaves", forest.leaves)
                }
            }
            let importance = Self.importance(model)
            out.member("features")
            out.list(model.featureNames.indices) { feature($0, importance[$0], out) }
            // A JSON object, which the model's builder has checked.
            out.member("provenance")
            out.append(Array((model.provenance.isEmpty ? "{}" : model.provenance).utf8))
            out.member("specification")
            out.append(model.specificationJSON.isEmpty ? Array("null".utf8) : model.specificationJSON)
        }
    }

    private func feature(_ index: Int, _ importance: Double, _ out: ByteBuffer) {
        let range = served.ranges[index]
        out.object {
            out.member("name", served.model.featureNames[index])
            if let feature = served.model.specification?.features[index] {
                out.member("meaning", FeatureMeaning.words(feature))
            }
            out.member("importance", importance)
            out.member("default", Double(served.defaults[index]))
            out.member("low", range.low)
            out.member("high", range.high)
            out.member("typical", range.typical)
            out.member("whole", range.isWhole)
            out.member("choices")
            if let levels = served.model.levels(feature: index) {
                out.list(levels) { out.appendJSONString($0) }
            } else if let choices = range.choices {
                out.list(choices) { out.append($0) }
            } else {
                out.append("null")
            }
            out.member("range_from", range.source)
            // Computed from the others when it is not given.
            out.member("derived", served.values.isDerived[index])
            out.member("seen")
            if let seen = range.seen {
                out.list([seen.lowerBound, seen.upperBound]) { out.append($0) }
            } else {
                out.append("null")
            }
            // What stands for "it never happened".
            if served.model.specification?.features[index].aggregate == .recency {
                out.member("never", Double(served.defaults[index]))
            }
        }
    }

    static func importance(_ model: Model) -> [Double] { model.importance }
}
