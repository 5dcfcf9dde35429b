/// The covariances of a row's effects: for each outcome, of each two treatments. Those of one treatment with itself are the
/// squares of the standard errors, and the forests of several outcomes are independent.
extension CSVRowWriter {
    /// The pairs of treatments of an outcome, in the order in which they are written.
    private static func pairs(_ model: Model) -> [(first: Int, second: Int)] {
        (0..<model.treatments.count).flatMap { first in
            (first + 1..<max(first + 1, model.treatments.count)).map { (first, $0) }
        }
    }

    static func covarianceColumns(_ model: Model) -> [String] {
        model.outcomes.flatMap { outcome in
            pairs(model).map { "covariance:\(outcome):\(model.treatments[$0.first]):\(model.treatments[$0.second])" }
        }
    }

    mutating func writeCSV(_ covariances: UnsafePointer<Double>) {
        forEachPair(covariances) { writer, _, _, _, value in
            writer.append(",")
            writer.append(value, "")
        }
    }

    mutating func writeJSON(_ covariances: UnsafePointer<Double>) {
        append(",\"covariances\":[")
        var isFirst = true
        forEachPair(covariances) { writer, outcome, first, second, value in
            writer.append(isFirst ? "{\"outcome\":" : ",{\"outcome\":")
            isFirst = false
            writer.output += Self.json(outcome.utf8)
            writer.append(",\"treatments\":[")
            writer.output += Self.json(first.utf8)
            writer.append(",")
            writer.output += Self.json(second.utf8)
            writer.append("],\"covariance\":")
            writer.append(value, "null")
            writer.append("}")
        }
        append("]")
    }

    private mutating func forEachPair(
        _ covariances: UnsafePointer<Double>, _ body: (inout Self, String, String, String, Double) -> Void
    ) {
        let size = model.treatments.count
        for (index, outcome) in model.outcomes.enumerated() {
            for (first, second) in Self.pairs(model) {
                let value = covariances[(index * size + first) * size + second]
                body(&self, outcome, model.treatments[first], model.treatments[second], value)
            }
        }
    }
}
