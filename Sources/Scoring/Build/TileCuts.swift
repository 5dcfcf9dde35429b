/// Where a tree is cut into tiles: the choice that costs least, found by dynamic programming from the leaves up.
///
/// Each tile costs `tileWeight` for the memory it takes, plus the share of rows that pass it (each split taken to halve
/// them). Filling every tile from its top has the fewest tiles on every path, but ends with tiles that hold one or two
/// splits; starting a tile lower down can save some of these without making any path longer.
package struct TileCuts {
    package let tileWeight: Double

    /// A node's cost when it starts a tile, and as a part of a tile one and two levels below its top.
    private var own: [Double] = []
    private var second: [Double] = []
    private var third: [Double] = []

    package init(tileWeight: Double) { self.tileWeight = tileWeight }

    /// - Parameters:
    ///   - order: the nodes that the root reaches, parents before children.
    ///   - depth: of each node.
    package mutating func choose(_ tree: borrowing RawTree, order: [Int32], depth: [Int32]) {
        let count = tree.left.count
        own = .init(repeating: 0, count: count)
        second = own
        third = own
        for node in order.reversed() {
            let index = Int(node)
            let (left, right) = (Int(tree.left[index]), Int(tree.right[index]))
            guard left >= 0 else { continue }
            let share = Double(sign: .plus, exponent: -min(Int(depth[index]), 1000), significand: 1)
            own[index] = tileWeight + share + second[left] + second[right]
            second[index] = min(own[index], third[left] + third[right])
            third[index] = min(own[index], own[left] + own[right])
        }
    }

    /// Whether a split one (`level` 1) or two levels below the top of a tile starts a tile of its own instead.
    package func starts(_ node: Int, level: Int) -> Bool {
        switch level {
        case 1: second[node] >= own[node]
        case 2: third[node] >= own[node]
        default: false
        }
    }
}
