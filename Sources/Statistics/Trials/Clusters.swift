/// Which rows belong together (a user, a household): rows of one cluster are not independent, clusters are.
package struct Clusters: Sendable, Equatable {
    /// One number per row, 0 ..< `count`.
    package let code: [Int32]
    package let count: Int

    /// - Parameter code: one number per row, every one of 0 ..< `count`.
    package init(code: [Int32], count: Int) {
        self.code = code
        self.count = count
    }

    /// Numbers the labels in the order in which they first come.
    package init<Label: Hashable>(labels: some Sequence<Label>) {
        var known: [Label: Int32] = [:]
        var code: [Int32] = []
        for label in labels {
            let next = Int32(known.count)
            let number = known[label] ?? next
            if number == next { known[label] = next }
            code.append(number)
        }
        self.init(code: code, count: known.count)
    }

    /// The clusters of some of the rows, numbered anew.
    package func taking(_ rows: [Int]) -> Clusters { Clusters(labels: rows.lazy.map { code[$0] }) }

    /// The sum of one value per row over each cluster.
    package func sums(_ value: [Double]) -> [Double] {
        var sums = [Double](repeating: 0, count: count)
        for row in value.indices { sums[Int(code[row])] += value[row] }
        return sums
    }
}
