import Base

/// What happens to a row's values before trees and linear parts see them, frozen at training: filling in, rounding, scaling,
/// categories. Each row by itself, so that a row scored alone has the bits of the same row in a batch.
///
/// A row's inputs are float32; a category is the number of its text among `levels` (`CategoryCodes`), NaN when it is missing.
/// Every computation is in double precision, its result one float32.
package struct Preprocessing: Codable, Sendable, Equatable {
    /// What one input of the row becomes.
    package struct Input: Codable, Sendable, Equatable {
        /// The texts of a category in the order of their codes; nil for a number. A text that is none of them has the code
        /// `levels.count`.
        package var levels: [String]?
        /// A category becomes one column per level and one for everything unknown, 1 where it holds; otherwise its code.
        package var oneHot: Bool
        /// What stands for a missing value; nil: it stays missing (in one-hot columns: unknown).
        package var fill: Double?
        /// Rounds to a whole number, halves to even: for a column of whole numbers whose filling is not.
        package var rounds: Bool
        /// Then (x − shift) × factor.
        package var shift: Double
        package var factor: Double
        /// Then no further than these.
        package var least: Double?
        package var most: Double?

        package init(
            levels: [String]? = nil, oneHot: Bool = false, fill: Double? = nil, rounds: Bool = false, shift: Double = 0,
            factor: Double = 1, least: Double? = nil, most: Double? = nil
        ) {
            self.levels = levels
            self.oneHot = oneHot
            self.fill = fill
            self.rounds = rounds
            self.shift = shift
            self.factor = factor
            self.least = least
            self.most = most
        }

        /// Columns that the parts see.
        package var outputs: Int { oneHot ? (levels?.count ?? 0) + 1 : 1 }
    }

    /// One an input, in the order of the row.
    package var inputs: [Input]

    package init(inputs: [Input]) { self.inputs = inputs }

    /// Every input as it is.
    package init(count: Int) { inputs = .init(repeating: Input(), count: count) }

    package var outputCount: Int { inputs.reduce(0) { $0 + $1.outputs } }

    /// The names of the columns that the parts see: `device=Mobile`, `device=?` for what is unknown.
    package func outputNames(_ names: [String]) -> [String] {
        zip(inputs, names).flatMap { input, name in
            input.oneHot ? (input.levels ?? []).map { "\(name)=\($0)" } + ["\(name)=?"] : [name]
        }
    }

    /// For each column that the parts see, the input that it comes from.
    package var inputOfOutput: [Int] {
        inputs.enumerated().flatMap { index, input in [Int](repeating: index, count: input.outputs) }
    }

    /// Writes a row's columns.
    @inline(__always)
    package static func apply(
        _ inputs: UnsafeBufferPointer<FlatInput>, _ row: UnsafePointer<Float>, into out: UnsafeMutablePointer<Float>
    ) {
        var place = 0
        for index in inputs.indices {
            let input = inputs[index]
            var x = Double(row[index])
            if x.isNaN { x = input.fill }
            guard input.levels < 0 else {
                for level in 0...input.levels { out[place + level] = 0 }
                // A code beyond the levels, or none, is unknown.
                let code = x >= 0 && x < Double(input.levels) && x == x.rounded() ? Int(x) : input.levels
                out[place + code] = 1
                place += input.levels + 1
                continue
            }
            if input.rounds { x = x.rounded(.toNearestOrEven) }
            x = (x - input.shift) * input.factor
            if x < input.least { x = input.least }
            if x > input.most { x = input.most }
            out[place] = Float(x)
            place += 1
        }
    }

    /// An input without arrays, for the hot path.
    package struct FlatInput {
        /// Levels of one-hot columns; −1: a number or a code.
        let levels: Int
        /// NaN: stays missing.
        let fill: Double
        let rounds: Bool
        let shift: Double
        let factor: Double
        let least: Double
        let most: Double
    }

    package var flat: [FlatInput] {
        inputs.map {
            FlatInput(
                levels: $0.oneHot ? $0.levels?.count ?? 0 : -1, fill: $0.fill ?? .nan, rounds: $0.rounds,
                shift: $0.shift, factor: $0.factor, least: $0.least ?? -.infinity, most: $0.most ?? .infinity)
        }
    }

    /// The columns of one row; for tests and single rows.
    package func apply(_ row: [Float]) -> [Float] {
        var out = [Float](repeating: 0, count: outputCount)
        flat.withUnsafeBufferPointer { Self.apply($0, row, into: &out) }
        return out
    }

    func check(inputs count: Int) throws(ImpactError) {
        guard inputs.count == count else {
            throw ModelFormat.refusal("invalid_model", "the preprocessing has \(inputs.count) inputs of \(count)")
        }
        for input in inputs {
            let numbers = [input.fill ?? 0, input.shift, input.factor, input.least ?? 0, input.most ?? 0]
            guard numbers.allSatisfy(\.isFinite), !input.oneHot || input.levels != nil,
                (input.levels?.count ?? 0) <= 4096
            else { throw ModelFormat.refusal("invalid_model", "the preprocessing holds an impossible input") }
        }
        guard outputCount <= ModelFormat.maximumFeatures else {
            throw ModelFormat.refusal("invalid_model", "the preprocessing makes \(outputCount) columns, too many")
        }
    }
}
