import Statistics

/// Which rows train, which choose (early stopping, threshold, model) and which only judge: stratified by the outcome, so that
/// each part has its share of both classes, and drawn from a seed.
package struct RowSplit: Sendable, Equatable {
    package var train: [Int]
    package var validation: [Int]
    package var test: [Int]

    /// - Parameters:
    ///   - strata: one label a row.
    ///   - validation, test: shares of the rows.
    package init(strata: [Int], validation: Double, test: Double, seed: UInt64) {
        var random = RandomStream(seed: seed, lane: 0x5B117)
        var (a, b, c): ([Int], [Int], [Int]) = ([], [], [])
        for stratum in Set(strata).sorted() {
            var rows = strata.indices.filter { strata[$0] == stratum }
            Self.shuffle(&rows, &random)
            let tests = Int((Double(rows.count) * test).rounded())
            let validations = Int((Double(rows.count) * validation).rounded())
            c += rows[..<tests]
            b += rows[tests..<min(rows.count, tests + validations)]
            a += rows[min(rows.count, tests + validations)...]
        }
        (train, self.validation, self.test) = (a.sorted(), b.sorted(), c.sorted())
    }

    package init(train: [Int], validation: [Int], test: [Int]) {
        (self.train, self.validation, self.test) = (train, validation, test)
    }

    /// The fold of each of `rows`, 0 ..< folds, stratified.
    package static func folds(_ rows: [Int], strata: [Int], folds: Int, seed: UInt64) -> [Int] {
        var random = RandomStream(seed: seed, lane: 0xF01D)
        var fold = [Int](repeating: 0, count: rows.count)
        var next = 0
        for stratum in Set(strata).sorted() {
            var places = rows.indices.filter { strata[rows[$0]] == stratum }
            shuffle(&places, &random)
            for place in places {
                fold[place] = next % folds
                next += 1
            }
        }
        return fold
    }

    static func shuffle(_ values: inout [Int], _ random: inout RandomStream) {
        for place in stride(from: values.count - 1, to: 0, by: -1) { values.swapAt(place, random.below(place + 1)) }
    }
}
