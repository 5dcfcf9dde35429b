import Scoring

/// How the preprocessing of a model follows from its training rows.
package struct PreprocessingOptions: Sendable, Equatable {
    package enum Fill: Sendable, Equatable {
        case median, mean
        case constant(Double)
        /// Missing values stay, for trees to route.
        case keep
    }

    package enum Scale: String, Sendable, CaseIterable {
        /// (x − least) / (greatest − least), no further than 0 and 1.
        case minmax
        /// (x − mean) / standard deviation.
        case standard
        case none
    }

    package var fill = Fill.median
    package var scale = Scale.standard

    package init(fill: Fill = .median, scale: Scale = .standard) {
        self.fill = fill
        self.scale = scale
    }
}

/// A column of the training table.
package struct ResponseColumn: Sendable {
    package var name: String
    package var values: [Float]
    /// The texts of a category, in the order of their codes; nil for a number.
    package var levels: [String]?

    package init(name: String, values: [Float], levels: [String]? = nil) {
        self.name = name
        self.values = values
        self.levels = levels
    }
}

extension Preprocessing {
    /// Texts of a category that are columns of their own.
    package static let mostLevels = 256

    /// Fits on `rows` alone: what other rows hold is never looked at.
    package init(_ columns: [ResponseColumn], rows: [Int], options: PreprocessingOptions) {
        self.init(inputs: columns.map { Self.input($0, rows, options) })
    }

    private static func input(_ column: ResponseColumn, _ rows: [Int], _ options: PreprocessingOptions) -> Input {
        if let levels = column.levels {
            // Levels that the training rows do not have are unknown.
            var counts = [Int](repeating: 0, count: levels.count)
            for row in rows where !column.values[row].isNaN { counts[Int(column.values[row])] += 1 }
            // Of many texts the most frequent are columns of their own; the others are too rare to learn from.
            let kept = Set(
                levels.indices.filter { counts[$0] > 0 }.sorted { (counts[$1], $0) < (counts[$0], $1) }
                    .prefix(Self.mostLevels))
            return Input(levels: levels.indices.filter(kept.contains).map { levels[$0] }, oneHot: true)
        }
        let known = rows.map { Double(column.values[$0]) }.filter { !$0.isNaN }
        let isWhole = known.allSatisfy { $0 == $0.rounded() }
        var input = Input()
        switch options.fill {
        case .median: input.fill = median(known)
        case .mean: input.fill = known.isEmpty ? 0 : known.reduce(0, +) / Double(known.count)
        case .constant(let value): input.fill = value
        case .keep: break
        }
        // A column of whole numbers stays one when its median or mean is not.
        input.rounds = isWhole && (input.fill.map { $0 != $0.rounded() } ?? false)
        guard options.scale != .none else { return input }
        let filled = rows.compactMap { row -> Double? in
            var x = Double(column.values[row])
            if x.isNaN {
                guard let fill = input.fill else { return nil }
                x = fill
            }
            return input.rounds ? x.rounded(.toNearestOrEven) : x
        }
        guard let least = filled.min(), let most = filled.max(), most > least else { return input }
        switch options.scale {
        case .minmax: (input.shift, input.factor, input.least, input.most) = (least, 1 / (most - least), 0, 1)
        case .standard:
            let mean = filled.reduce(0, +) / Double(filled.count)
            let variance = filled.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(filled.count)
            (input.shift, input.factor) = (mean, 1 / variance.squareRoot())
        case .none: break
        }
        return input
    }

    private static func median(_ values: [Double]) -> Double {
        guard !values.isEmpty else { return 0 }
        let sorted = values.sorted()
        let middle = sorted.count / 2
        return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
    }

    /// The columns that the parts see, for all rows. `codes` are those of the training table's levels.
    package func transform(_ columns: [ResponseColumn]) -> [[Float]] {
        let rows = columns.first?.values.count ?? 0
        // The table's codes become those of the levels that were kept.
        let maps: [[Float]?] = zip(columns, inputs).map { column, input in
            guard let levels = column.levels, let codes = input.levels.map(CategoryCodes.init) else { return nil }
            return levels.map { codes.code(of: $0) }
        }
        var out = [[Float]](repeating: [Float](repeating: 0, count: rows), count: outputCount)
        var row = [Float](repeating: 0, count: columns.count)
        var derived = [Float](repeating: 0, count: outputCount)
        let flat = flat
        flat.withUnsafeBufferPointer { flat in
            for index in 0..<rows {
                for (place, column) in columns.enumerated() {
                    let value = column.values[index]
                    row[place] = value.isNaN ? value : maps[place].map { $0[Int(value)] } ?? value
                }
                Self.apply(flat, row, into: &derived)
                for place in derived.indices { out[place][index] = derived[place] }
            }
        }
        return out
    }
}
