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
/// | `GET /predict?customer_id=` | ``ads(customer:row:)``, with the row that the live state or the log store has |
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

    package let model: Model
    private let scorer: Scorer
    private var rows: [Float]
    private var estimates: [Estimate]

    /// - Throws: `no_response_model` when the model does not predict probabilities.
    package init(_ model: Model) throws(ImpactError) {
        guard model.predictsProbabilities else {
            throw ImpactError(
                .badConfiguration, code: "no_response_model",
                "\(model.path) is a \(model.kind) model; /predict needs one of `impactiq train --kind response`")
        }
        self.model = model
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
        try read(document, into: 0, place: "")
        score(1)
        return answer(document["customer_id"], 0)
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
        for (index, customer) in customers.enumerated() {
            try read(customer, into: index, place: "customers[\(index)].")
        }
        score(customers.count)
        let predictions = customers.enumerated().map { answer($1["customer_id"], $0) }
        return [
            "predictions": .array(predictions), "total_customers": .integer(customers.count),
            "processing_time_seconds": .number(seconds()),
        ]
    }

    /// Every product's probability for a customer, and the ads that the rule shows: those above their thresholds, the most
    /// probable first.
    ///
    /// - Parameter row: `model.featureCount` values, NaN for a missing one.
    package func ads(customer: String, row: [Float]) -> JSONOutput {
        for (index, value) in row.prefix(model.featureCount).enumerated() { rows[index] = value }
        score(1)
        let shown = model.outcomes.indices.filter { estimates[$0].effect > model.adThreshold(outcome: $0) }
            .sorted { (estimates[$0].effect, $1) > (estimates[$1].effect, $0) }
        return [
            "customer_id": .text(customer),
            "predictions": .array(
                model.outcomes.indices.map { outcome in
                    [
                        "product": .text(model.outcomes[outcome]), "probability": .number(estimates[outcome].effect),
                        "threshold": .number(model.adThreshold(outcome: outcome)),
                        "show_ad": .bool(shown.contains(outcome)),
                        "confidence": .text(Self.confidence(estimates[outcome].effect)),
                    ]
                }), "ads": .array(shown.map { .text(model.outcomes[$0]) }), "model": .text(model.name),
            "model_version": .text(model.version),
        ]
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
        guard customer.members != nil else {
            throw Fault(
                status: 422, field: String(place.dropLast()), detail: "\(place.dropLast()) must be an object")
        }
        switch customer["customer_id"] {
        case .string, .number: break
        case nil: throw fault("customer_id", "is missing")
        default: throw fault("customer_id", "must be a string or a number")
        }
        let row = index * model.rowStride
        var known = 0
        for (feature, name) in model.featureNames.enumerated() {
            let value = customer[name]
            if value != nil { known += 1 }
            switch value {
            case nil, .null?:
                guard model.acceptsMissing(feature: feature) else { throw fault(name, "is missing") }
                rows[row + feature] = .nan
            case .number(let number)? where model.levels(feature: feature) == nil:
                let float = Float(number)
                guard float.isFinite else { throw fault(name, "is beyond what a float32 holds") }
                rows[row + feature] = float
            case .bool(let truth)? where model.levels(feature: feature) == nil: rows[row + feature] = truth ? 1 : 0
            case .string(let text)? where model.levels(feature: feature) != nil:
                rows[row + feature] = model.code(feature: feature, text: text) ?? .nan
            case .number(let number)?:
                // A category whose texts are numbers.
                let text = Int(exactly: number).map { "\($0)" } ?? "\(number)"
                rows[row + feature] = model.code(feature: feature, text: text) ?? .nan
            default:
                throw fault(name, model.levels(feature: feature) == nil ? "must be a number" : "must be a text")
            }
        }
        guard known > 0 else {
            throw fault(model.featureNames[0], "is missing, as is every other feature of the model")
        }
    }

    private func score(_ count: Int) {
        scorer.score(rows: rows, stride: model.rowStride, count: count, into: &estimates, standardErrors: false)
    }

    private func answer(_ id: JSONValue?, _ index: Int) -> JSONOutput {
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
        return .object(members)
    }
}
