import Base
import JSON
import Scoring
import Terminal

/// The propensity routes of the seed systems, without the HTTP: a router hands over bodies and gets JSON back.
///
/// | Route | Method here |
/// |---|---|
/// | `GET /health` | ``health(version:)`` |
/// | `POST /predict` | ``predict(_:)`` |
/// | `POST /predict/batch` | ``predictBatch(_:seconds:)`` |
/// | `GET /predict?customer_id=` | ``ads(customer:row:)`` of the live state, or ``ads(_:customer:_:from:)`` of the log store |
///
/// One a thread: it owns a scorer.
package final class PredictAPI {
    /// What is wrong with a request: an RFC 9457 problem for the router.
    package struct Fault: Error, Sendable, Equatable {
        /// 400: no JSON; 422: a field at fault.
        package var status: Int
        /// The field at fault: `pages_viewed`, or `customers[3].pages_viewed`.
        package var field: String?
        package var detail: String
    }

    package static let mostCustomers = 1_000

    /// What was predicted of a customer and what moved it.
    package struct Prediction: Sendable, Equatable {
        package var customer: String
        /// One an outcome of the model.
        package var probabilities: [Double]
        package var impacts: [ImpactAnalysis.Impact]
    }

    package let model: Model
    /// Weights and baselines; nil: answers have no impacts.
    private let impact: ImpactAnalysis?
    /// Of the last request, when there are weights.
    package private(set) var predictions: [Prediction] = []
    private let scorer: Scorer
    private let values: RowValues
    /// The row of a customer of whom nothing is known: what a feature is that is left out.
    private let defaults: [Float]
    /// Members of a customer that mean something.
    private let known: Set<String>
    private var rows: [Float]
    private var estimates: [Estimate]

    /// - Parameter defaults: the row of a customer of whom nothing is known; every value missing when not given.
    /// - Throws: `no_response_model` when the model does not predict probabilities.
    package init(_ model: Model, impact: ImpactAnalysis? = nil, defaults: [Float]? = nil) throws(ImpactError) {
        guard model.predictsProbabilities else {
            throw ImpactError(
                .badConfiguration, code: "no_response_model",
                "\(model.name) is a \(model.kind) model; /predict needs one of `impactiq train --kind response`")
        }
        self.model = model
        self.impact = impact
        values = RowValues(model)
        self.defaults = defaults ?? [Float](repeating: .nan, count: model.featureCount)
        known = Set(model.featureNames + (impact?.features.map(\.name) ?? []) + ["customer_id"])
        scorer = Scorer(model: model, maxRows: Self.mostCustomers)
        rows = [Float](repeating: 0, count: model.rowStride * Self.mostCustomers)
        estimates = [Estimate](
            repeating: Estimate(effect: 0, standardError: 0), count: model.effectCount * Self.mostCustomers)
    }

    /// `low` up to .3, `medium` up to .7, `high` above.
    package static func confidence(_ probability: Double) -> String {
        probability <= 0.3 ? "low" : probability <= 0.7 ? "medium" : "high"
    }

    package func health(version: String) -> JSONOutput {
        [
            "status": "healthy", "model_loaded": true, "version": .text(version),
            "model_info": [
                "name": .text(model.name), "version": .text(model.version), "kind": .text(model.kind),
                "sha256": .text(model.sha256), "outcomes": .array(model.outcomes.map { .text($0) }),
                "features": .array(model.featureNames.map { .text($0) }),
            ],
        ]
    }

    /// One customer: `{"customer_id":…, FEATURE: value, …}`; a feature that is left out is missing.
    package func predict(_ body: [UInt8]) throws(Fault) -> JSONOutput {
        let document = try Self.parse(body)
        predictions = []
        try read(document, into: 0, place: "")
        score(1)
        return answer(document, 0)
    }

    /// Up to 1,000 customers: `{"customers":[…]}`.
    ///
    /// - Parameter seconds: asked for when all is done: the time since the request came in.
    package func predictBatch(_ body: [UInt8], seconds: () -> Double) throws(Fault) -> JSONOutput {
        let document = try Self.parse(body)
        guard let customers = document["customers"]?.array else {
            throw Fault(status: 422, field: "customers", detail: "customers must be an array of 1 to 1,000 customers")
        }
        guard (1...Self.mostCustomers).contains(customers.count) else {
            throw Fault(
                status: 422, field: "customers",
                detail: "customers holds \(customers.count) customers; 1 to \(Self.mostCustomers) are allowed")
        }
        predictions = []
        for (index, customer) in customers.enumerated() {
            try read(customer, into: index, place: "customers[\(index)].")
        }
        score(customers.count)
        let predictions = customers.enumerated().map { answer($1, $0) }
        return [
            "predictions": .array(predictions), "total_customers": .integer(customers.count),
            "processing_time_seconds": .number(seconds()),
        ]
    }

    /// Where a customer's probabilities come from.
    package enum Origin: Sendable, Equatable {
        /// Their features now.
        case state
        /// Their last published score, of an event at this time (milliseconds since 1970).
        case logStore(time: Int64, modelVersion: String)
    }

    /// Every product's probability for a customer, and the ads that the rule shows: those above their thresholds, the most
    /// probable first.
    ///
    /// - Parameter row: `model.featureCount` values, NaN for a missing one.
    package func ads(customer: String, row: [Float]) -> JSONOutput {
        for (index, value) in row.prefix(model.featureCount).enumerated() { rows[index] = value }
        predictions = []
        score(1)
        let impacts = note(customer, 0) { name in
            self.model.featureNames.firstIndex(of: name).flatMap { row[$0].isNaN ? nil : "\(row[$0])" }
        }
        return Self.ads(
            model, customer: customer, model.outcomes.indices.map { estimates[$0].effect }, impacts, from: .state)
    }

    /// - Parameter probabilities: one an outcome of the model; NaN when it is not known.
    package static func ads(
        _ model: Model, customer: String, _ probabilities: [Double], _ impacts: [ImpactAnalysis.Impact]? = nil,
        from origin: Origin
    ) -> JSONOutput {
        let shown = model.outcomes.indices.filter { probabilities[$0] > model.adThreshold(outcome: $0) }
            .sorted { (probabilities[$0], $1) > (probabilities[$1], $0) }
        var members: [(name: String, value: JSONOutput)] = [
            ("customer_id", .text(customer)),
            (
                "predictions",
                .array(
                    model.outcomes.indices.map { outcome in
                        [
                            "product": .text(model.outcomes[outcome]), "probability": .number(probabilities[outcome]),
                            "threshold": .number(model.adThreshold(outcome: outcome)),
                            "show_ad": .bool(shown.contains(outcome)),
                            "confidence": .text(confidence(probabilities[outcome])),
                        ]
                    })
            ), ("ads", .array(shown.map { .text(model.outcomes[$0]) })), ("model", .text(model.name)),
        ]
        switch origin {
        case .state: members += [("model_version", .text(model.version)), ("from", "state")]
        case .logStore(let time, let version):
            members += [
                ("model_version", .text(version)), ("from", "log_store"), ("time", .integer(Int(time))),
            ]
        }
        if let impacts { members.append(("impacts", ImpactAnalysis.json(impacts))) }
        return .object(members)
    }

    /// The probabilities of a published score of this model, one an outcome; nil when it is another model's.
    ///
    /// - Parameters:
    ///   - outcome, probability: the score's own.
    ///   - effects: its `effects`, a JSON array as text, when the model has several outcomes.
    package static func probabilities(
        _ model: Model, name: String, outcome: String?, probability: Double, effects: String?
    ) -> [Double]? {
        guard name == model.name else { return nil }
        var found = [Double](repeating: .nan, count: model.outcomes.count)
        if let place = model.outcomes.firstIndex(where: { $0 == outcome }) { found[place] = probability }
        if let effects, let all = try? JSONValue(parsing: Array(effects.utf8), name: "effects").array {
            for effect in all {
                guard let place = model.outcomes.firstIndex(where: { $0 == effect["outcome"]?.string }),
                    let number = effect["probability"]?.number
                else { continue }
                found[place] = number
            }
        }
        return found.contains { $0.isFinite } ? found : nil
    }

    private static func parse(_ body: [UInt8]) throws(Fault) -> JSONValue {
        do throws(ImpactError) {
            let document = try JSONValue(parsing: body, name: "the body", maxBytes: 4 << 20, maxDepth: 8)
            guard document.members != nil else { throw ImpactError(.badInput, code: "", "the body must be an object") }
            return document
        } catch {
            throw Fault(status: 400, field: nil, detail: error.message)
        }
    }

    /// Reads a customer's features into a row.
    private func read(_ customer: JSONValue, into index: Int, place: String) throws(Fault) {
        func fault(_ field: String, _ what: String) -> Fault {
            Fault(status: 422, field: place + field, detail: "\(place)\(field) \(what)")
        }
        guard let members = customer.members else {
            throw Fault(
                status: 422, field: String(place.dropLast()), detail: "\(place.dropLast()) must be an object")
        }
        switch customer["customer_id"] {
        case .string(let text) where text.isEmpty: throw fault("customer_id", "is empty")
        case .string, .number: break
        case nil: throw fault("customer_id", "is missing")
        default: throw fault("customer_id", "must be a string or a number")
        }
        for member in members where !known.contains(member.name) {
            let hint = NearestName.find(member.name, among: known.sorted())
            throw fault(
                String(member.name.prefix(100)),
                "is not a feature of the model"
                    + (hint.map { "; did you mean \"\($0)\"?" } ?? "; GET /v1/model lists them"))
        }
        for member in members {
            guard let impact, let text = Self.text(member.value) else { continue }
            guard impact.accepts(text, for: member.name) else { throw fault(member.name, "must be a number") }
        }
        let start = index * model.rowStride
        var given = [Bool](repeating: false, count: model.featureCount)
        for (feature, name) in model.featureNames.enumerated() {
            let value = customer[name]
            given[feature] = value != nil
            rows[start + feature] = try read(value, feature) { what in fault(name, what) }
        }
        guard given.contains(true) else {
            throw fault(model.featureNames[0], "is missing, as is every other feature of the model")
        }
        rows.withUnsafeMutableBufferPointer { rows in
            if let base = rows.baseAddress { values.complete(base + start) { given[$0] } }
        }
        for (feature, name) in model.featureNames.enumerated()
        where rows[start + feature].isNaN && !model.acceptsMissing(feature: feature) {
            throw fault(name, "is missing")
        }
    }

    /// The value of a member in the row.
    private func read(_ value: JSONValue?, _ feature: Int, _ fault: (String) -> Fault) throws(Fault) -> Float {
        let isCategory = model.levels(feature: feature) != nil
        switch value {
        case nil: return defaults[feature]
        case .null?: return .nan
        case .number(let number)? where !isCategory:
            let float = Float(number)
            guard float.isFinite else { throw fault("is beyond what a float32 holds") }
            return float
        case .bool(let truth)? where !isCategory: return truth ? 1 : 0
        case .string(let text)? where isCategory: return values.value(feature: feature, text: text) ?? .nan
        case .number(let number)?:
            guard let code = values.category(feature: feature, number: number) else {
                throw fault("must be one of the texts \(values.choices(feature: feature)), or null")
            }
            return code
        default: throw fault(isCategory ? "must be a text" : "must be a number")
        }
    }

    private func score(_ count: Int) {
        scorer.score(rows: rows, stride: model.rowStride, count: count, into: &estimates, standardErrors: false)
    }

    /// Notes what was predicted of a customer; its impacts, when there are weights.
    private func note(_ customer: String, _ index: Int, _ value: (String) -> String?) -> [ImpactAnalysis.Impact]? {
        guard let impact else { return nil }
        let impacts = impact.impacts(value)
        let start = index * model.effectCount
        predictions.append(
            Prediction(
                customer: customer, probabilities: model.outcomes.indices.map { estimates[start + $0].effect },
                impacts: impacts))
        return impacts
    }

    /// A member as a CSV would have it.
    private static func text(_ value: JSONValue?) -> String? {
        switch value {
        case .string(let text): text
        case .number(let number): Int(exactly: number).map { "\($0)" } ?? "\(number)"
        case .bool(let truth): truth ? "1" : "0"
        default: nil
        }
    }

    private func answer(_ document: JSONValue, _ index: Int) -> JSONOutput {
        let id = document["customer_id"]
        let probability = estimates[index * model.effectCount].effect
        let customer: JSONOutput =
            switch id {
            case .string(let text): .text(text)
            case .number(let number): .number(number)
            default: .null
            }
        let cutoff = model.composition?.cutoffs?[0] ?? 0.5
        var members: [(name: String, value: JSONOutput)] = [
            (name: "customer_id", value: customer),
            (name: "purchase_prediction", value: .integer(probability >= cutoff ? 1 : 0)),
            (name: "purchase_probability", value: .number(probability)),
            (name: "prediction_confidence", value: .text(Self.confidence(probability))),
        ]
        if model.outcomes.count > 1 {
            members.append(
                (
                    name: "probabilities",
                    value: .object(
                        model.outcomes.enumerated().map {
                            (name: $1, value: .number(estimates[index * model.effectCount + $0].effect))
                        })
                ))
        }
        if let impacts = note(Self.text(id) ?? "", index, { Self.text(document[$0]) }) {
            members.append((name: "impacts", value: ImpactAnalysis.json(impacts)))
        }
        return .object(members)
    }
}
