import Base
import JSON
import Scoring

/// `POST /v1/simulate`: the effect over a grid of one or two features, the others held fixed.
///
/// ```json
/// {"features":{"recency":3},"vary":[{"feature":"recency","from":0,"to":30,"steps":31}]}
/// ```
/// The answer has one number a point of the grid; with two features the first one's steps are the rows.
struct SimulateRoute: Sendable {
    let served: ServedModel

    static let maxPoints = 10_000

    private struct Axis {
        var feature: Int
        var values: [Double]
    }

    func answer(_ exchange: Exchange) throws(Problem) {
        let session = ScoringSession.of(exchange, served)
        var members: [String: JSONValue] = [:]
        var base = try read(exchange, session, &members)
        var given = session.given
        served.values.complete(&base) { given[$0] }
        let axes = try axes(members["vary"])
        for axis in axes { given[axis.feature] = true }
        let chosen = try effect(members["treatment"], members["outcome"])
        let model = served.model

        for index in 0..<model.rowStride { session.row(0)[index] = base[index] }
        try session.score(1) { _ in "features" }
        let effect = chosen ?? session.decidedEffect(0)
        let out = exchange.out
        out.append("{\"treatment\":")
        out.appendJSONString(model.treatments[effect / model.outcomes.count])
        out.append(",\"outcome\":")
        out.appendJSONString(model.outcomes[effect % model.outcomes.count])
        out.append(",\"base\":")
        session.write(0, user: nil, effect: effect, into: out)
        out.append(",\"vary\":[")
        for (number, axis) in axes.enumerated() {
            if number > 0 { out.append(",") }
            out.append("{\"feature\":")
            out.appendJSONString(model.featureNames[axis.feature])
            out.append(",\"values\":[")
            for (index, value) in axis.values.enumerated() {
                if index > 0 { out.append(",") }
                out.append(value)
            }
            out.append("]")
            if let levels = model.levels(feature: axis.feature) {
                out.append(",\"texts\":[")
                for (index, value) in axis.values.enumerated() {
                    if index > 0 { out.append(",") }
                    // A text that the model does not know.
                    if value < Double(levels.count) {
                        out.appendJSONString(levels[Int(value)])
                    } else {
                        out.append("null")
                    }
                }
                out.append("]")
            }
            out.append("}")
        }
        out.append("]")
        try write(base, given, axes, effect, session, out)
        out.append("}")
    }

    /// Reads the body: features as every route does, so that the same fault has the same answer, the small rest as values.
    private func read(
        _ exchange: Exchange, _ session: ScoringSession, _ members: inout [String: JSONValue]
    ) throws(Problem) -> [Float] {
        var scanner = JSONScanner(exchange.body, maxDepth: 16)
        session.clear(session.row(0))
        let others = ["vary", "treatment", "outcome"]
        var hasFeatures = false
        var more = try ScoreRoute.enter(&scanner)
        while more {
            let scanned: JSONScanner.Text
            do throws(InputError) { scanned = try scanner.scanName() } catch { throw Problem(error) }
            let name = session.text(scanner, scanned)
            if name == "features" {
                if hasFeatures { throw ScoreRoute.twice(name) }
                hasFeatures = true
                guard scanner.current == 0x7B else { throw ScoreRoute.notAnObject(scanner, name) }
                try session.readFeatures(&scanner, into: session.row(0), place: name)
            } else if others.contains(name) {
                if members[name] != nil { throw ScoreRoute.twice(name) }
                members[name] = try value(&scanner, name)
            } else {
                throw ScoreRoute.unknownMember(name, ["features"] + others)
            }
            more = try ScoreRoute.next(&scanner)
        }
        do throws(InputError) { try scanner.expectEnd() } catch { throw Problem(error) }
        return Array(UnsafeBufferPointer(start: session.row(0), count: served.model.rowStride))
    }

    private func value(_ scanner: inout JSONScanner, _ name: String) throws(Problem) -> JSONValue {
        let start = scanner.position
        do throws(InputError) { try scanner.skipValue(depth: 1) } catch { throw Problem(error, field: name) }
        let bytes = UnsafeRawBufferPointer(start: scanner.base + start, count: scanner.position - start)
        do throws(ImpactError) { return try JSONValue(parsing: Array(bytes), name: name, maxDepth: 8) } catch {
            let code = InputErrorCode.allCases.first { $0.name == error.code } ?? .invalidJSON
            var problem = Problem(InputError(code), field: name)
            problem.detail = error.message
            throw problem
        }
    }

    /// Scores the grid, a block at a time, and writes its columns.
    private func write(
        _ base: [Float], _ given: [Bool], _ axes: [Axis], _ effect: Int, _ session: ScoringSession, _ out: ByteBuffer
    ) throws(Problem) {
        let inner = axes.count > 1 ? axes[1].values.count : 1
        let points = axes[0].values.count * inner
        var estimates: [Estimate] = []
        estimates.reserveCapacity(points)
        var start = 0
        while start < points {
            let count = min(ScoringSession.block, points - start)
            for index in 0..<count {
                let row = session.row(index)
                for feature in base.indices { row[feature] = base[feature] }
                let point = start + index
                row[axes[0].feature] = Float(axes[0].values[point / inner])
                if axes.count > 1 { row[axes[1].feature] = Float(axes[1].values[point % inner]) }
                served.values.complete(row) { given[$0] }
            }
            try session.score(count) { _ in "features" }
            for index in 0..<count { estimates.append(session.estimate(index, effect: effect)) }
            start += count
        }
        let level = served.level
        column("uplift", estimates, out) { $0.effect }
        column("std_error", estimates, out) { $0.standardError }
        column("ci_lower", estimates, out) { level.lower($0) }
        column("ci_upper", estimates, out) { level.upper($0) }
        out.append(",\"ci_level\":")
        out.append(level.level)
        out.append(",\"decision\":[")
        for (index, estimate) in estimates.enumerated() {
            if index > 0 { out.append(",") }
            out.append("\"")
            out.append(Array("\(session.decision(estimate))".utf8))
            out.append("\"")
        }
        out.append("]")
    }

    private func column(_ name: String, _ estimates: [Estimate], _ out: ByteBuffer, _ value: (Estimate) -> Double) {
        out.append(",")
        out.appendJSONString(name)
        out.append(":[")
        for (index, estimate) in estimates.enumerated() {
            if index > 0 { out.append(",") }
            out.append(value(estimate))
        }
        out.append("]")
    }

    private func category(_ value: JSONValue, _ feature: Int, _ field: String) throws(Problem) -> Float {
        let found: Float? =
            switch value {
            case .string(let text): served.values.value(feature: feature, text: text)
            case .number(let number): served.values.category(feature: feature, number: number)
            case .null: .nan
            default: nil
            }
        guard let found else { throw served.unknownCategory(feature, field: field) }
        return found
    }

    private func axes(_ value: JSONValue?) throws(Problem) -> [Axis] {
        guard let list = value?.array, (1...2).contains(list.count) else {
            throw Problem(422, "invalid_grid", "name one or two features to vary", field: "vary")
        }
        var axes: [Axis] = []
        for (number, item) in list.enumerated() { axes.append(try axis(item, "vary[\(number)]")) }
        if axes.count == 2, axes[0].feature == axes[1].feature {
            throw Problem(422, "invalid_grid", "the two features must be different", field: "vary[1].feature")
        }
        guard axes.reduce(1, { $0 * $1.values.count }) <= Self.maxPoints else {
            throw Problem(422, "invalid_grid", "the grid has more than \(Self.maxPoints) points", field: "vary")
        }
        return axes
    }

    private func axis(_ item: JSONValue, _ place: String) throws(Problem) -> Axis {
        let known = ["feature", "from", "to", "steps", "values"]
        guard let members = item.members else {
            throw Problem(422, "not_an_object", "must be a JSON object", field: place)
        }
        for member in members where !known.contains(member.name) {
            var problem = ScoreRoute.unknownMember(member.name, known)
            problem.field = "\(place).\(member.name.prefix(100))"
            throw problem
        }
        guard let name = item["feature"]?.string else {
            throw Problem(422, "missing_field", "name the feature to vary", field: "\(place).feature")
        }
        guard let feature = served.model.featureNames.firstIndex(of: name) else {
            var problem = served.unknownFeature(name, place: "")
            problem.field = "\(place).feature"
            throw problem
        }
        if let list = item["values"] {
            if let other = ["from", "to", "steps"].first(where: { item[$0].map { $0 != .null } ?? false }) {
                throw Problem(
                    422, "ambiguous", "give values, or from, to and steps, not both", field: "\(place).\(other)")
            }
            guard let given = list.array, !given.isEmpty, given.count <= Self.maxPoints else {
                throw Problem(
                    422, "invalid_grid", "must be an array of 1 to \(Self.maxPoints) numbers", field: "\(place).values")
            }
            var values: [Double] = []
            for value in given {
                if let levels = served.model.levels(feature: feature) {
                    let code = try category(value, feature, "\(place).values")
                    values.append(code.isNaN ? Double(levels.count) : Double(code))
                    continue
                }
                guard let number = value.number, Float(number).isFinite else {
                    throw Problem(422, "field_type", "must be numbers that fit a float32", field: "\(place).values")
                }
                values.append(number)
            }
            return Axis(feature: feature, values: values)
        }
        if let levels = served.model.levels(feature: feature), item["from"] == nil, item["to"] == nil {
            return Axis(feature: feature, values: levels.indices.map { Double($0) })
        }
        let range = served.ranges[feature]
        func number(_ name: String, _ other: Double) throws(Problem) -> Double {
            guard let value = item[name], value != .null else { return other }
            guard let number = value.number, Float(number).isFinite else {
                throw Problem(422, "field_type", "must be a number that fits a float32", field: "\(place).\(name)")
            }
            return number
        }
        let (low, high, wish) = (try number("from", range.low), try number("to", range.high), try number("steps", 41))
        guard wish >= 2, wish <= Double(Self.maxPoints), wish == wish.rounded() else {
            throw Problem(422, "invalid_grid", "must be 2 to \(Self.maxPoints)", field: "\(place).steps")
        }
        if let levels = served.model.levels(feature: feature) {
            throw Problem(
                422, "invalid_grid",
                "it is a category of \(levels.count) texts: leave from and to out, or list \"values\"",
                field: "\(place).from")
        }
        guard low <= high else {
            throw Problem(422, "invalid_grid", "must not be above \"to\"", field: "\(place).from")
        }
        let steps = Int(wish)
        let values = (0..<steps).map { $0 == steps - 1 ? high : low + (high - low) * Double($0) / Double(steps - 1) }
        // Between two whole numbers stands nobody: each point is rounded to one, and stands once.
        guard range.isWhole else { return Axis(feature: feature, values: values) }
        var whole: [Double] = []
        let (first, last) = (low.rounded(.up), high.rounded(.down))
        for value in values.map({ min(max($0.rounded(), first), max(first, last)) }) where whole.last != value {
            whole.append(value)
        }
        return Axis(feature: feature, values: whole)
    }

    private func effect(_ treatment: JSONValue?, _ outcome: JSONValue?) throws(Problem) -> Int? {
        if treatment == nil, outcome == nil { return nil }
        func index(_ value: JSONValue?, _ names: [String], _ field: String) throws(Problem) -> Int {
            guard let value, value != .null else { return 0 }
            guard let name = value.string, let index = names.firstIndex(of: name) else {
                throw Problem(422, "unknown_\(field)", "must be one of \(names.joined(separator: ", "))", field: field)
            }
            return index
        }
        return served.model.effectIndex(
            treatment: try index(treatment, served.model.treatments, "treatment"),
            outcome: try index(outcome, served.model.outcomes, "outcome"))
    }
}
