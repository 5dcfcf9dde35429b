import Statistics

/// Which rows train, which choose (early stopping, threshold, model) and which only judge: stratified by the outcome, so that
/// each part has its share of both classes, and drawn from a seed.
package struct RowSplit: Sendable, Equatable {
    package var train: [Int]
    package var validation: [Int]
    package var test: [Int]

    /// - Parameters:
    ///   - strata: one label a row.
    ///   - clusters: one number per row: rows of one number stay together, and the shares are of the numbers.
    ///   - validation, test: shares of the rows.
    package init(strata: [Int], clusters: [Int]? = nil, validation: Double, test: Double, seed: UInt64) {
        if let clusters {
            let groups = Self.groups(Array(strata.indices), strata, clusters)
            let split = RowSplit(strata: groups.strata, validation: validation, test: test, seed: seed)
            func rows(_ chosen: [Int]) -> [Int] { chosen.flatMap { groups.rows[$0] }.sorted() }
            (train, self.validation, self.test) = (rows(split.train), rows(split.validation), rows(split.test))
            return
        }
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
    package static func folds(
        _ rows: [Int], strata: [Int], clusters: [Int]? = nil, folds: Int, seed: UInt64
    ) -> [Int] {
        if let clusters {
            let groups = groups(rows, strata, clusters)
            let own = self.folds(Array(groups.rows.indices), strata: groups.strata, folds: folds, seed: seed)
            var foldOf: [Int: Int] = [:]
            for (group, fold) in zip(groups.rows, own) { for row in group { foldOf[row] = fold } }
            return rows.map { foldOf[$0] ?? 0 }
        }
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

    /// Rows by their cluster, in the order of its first row, and the largest stratum of each.
    private static func groups(_ rows: [Int], _ strata: [Int], _ clusters: [Int]) -> (rows: [[Int]], strata: [Int]) {
        var place: [Int: Int] = [:]
        var groups: (rows: [[Int]], strata: [Int]) = ([], [])
        for row in rows {
            if let known = place[clusters[row]] {
                groups.rows[known].append(row)
                groups.strata[known] = max(groups.strata[known], strata[row])
            } else {
                place[clusters[row]] = groups.rows.count
                groups.rows.append([row])
                groups.strata.append(strata[row])
            }
        }
        return groups
    }

    static func shuffle(_ values: inout [Int], _ random: inout RandomStream) {
        for place in stride(from: values.count - 1, to: 0, by: -1) { values.swapAt(place, random.below(place + 1)) }
    }
}
