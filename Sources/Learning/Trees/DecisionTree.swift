import Statistics

/// A fitted tree. Node 0 is the root; a node with `left` −1 is a leaf. A value goes left when `x <= threshold` in float32.
package struct DecisionTree: Sendable, Equatable {
    package var left: [Int32] = []
    package var right: [Int32] = []
    package var feature: [Int32] = []
    package var threshold: [Float] = []
    /// Where a missing value goes.
    package var missingLeft: [Bool] = []
    /// The last bin that goes left, in the matrix that the tree was fitted on.
    package var bin: [UInt8] = []
    /// What a leaf adds to a prediction; 0 at splits.
    package var value: [Double] = []
    /// By how much a split lowers the loss; 0 at leaves.
    package var gain: [Double] = []
    /// The rows that reached the node in training, weighted.
    package var cover: [Double] = []

    package init() {}

    package var nodes: Int { left.count }
    package var leaves: Int { left.count { $0 < 0 } }

    /// Adds a leaf and returns its number.
    mutating func addLeaf(cover: Double) -> Int {
        left.append(-1)
        right.append(-1)
        feature.append(0)
        threshold.append(0)
        missingLeft.append(false)
        bin.append(0)
        value.append(0)
        gain.append(0)
        self.cover.append(cover)
        return left.count - 1
    }

    /// The leaf of a row of plain values: the reference for every faster way.
    package func leaf(_ row: UnsafePointer<Float>) -> Int {
        var node = 0
        while left[node] >= 0 {
            let x = row[Int(feature[node])]
            let goesLeft = x.isNaN ? missingLeft[node] : x <= threshold[node]
            node = Int(goesLeft ? left[node] : right[node])
        }
        return node
    }
}

/// How a sum of leaves becomes a prediction.
package enum TreeLink: String, Sendable, CaseIterable {
    /// The sum itself.
    case identity
    /// 1 / (1 + e^−sum): a probability.
    case logistic
}

/// Trees whose leaf values add up: boosted trees, or a random forest (each value divided by the count of trees).
package struct TreeEnsemble: Sendable, Equatable {
    package var base: Double
    package var link: TreeLink
    package var features: Int
    package var trees: [DecisionTree]

    package init(base: Double, link: TreeLink, features: Int, trees: [DecisionTree]) {
        self.base = base
        self.link = link
        self.features = features
        self.trees = trees
    }

    /// Σ leaf values of a row of plain values, trees in order, + base: the bits of a model file's score.
    package func margin(_ row: UnsafePointer<Float>) -> Double {
        var sum = 0.0
        for tree in trees { sum += tree.value[tree.leaf(row)] }
        return sum + base
    }

    /// The margin through the link.
    package func prediction(_ row: UnsafePointer<Float>) -> Double {
        link == .logistic ? Logistic.sigmoid(margin(row)) : margin(row)
    }

    /// Importance of each feature: the gains of its splits, as shares of all (zeros when there is no split).
    package var gainImportance: [Double] {
        var gains = [Double](repeating: 0, count: features)
        for tree in trees {
            for node in 0..<tree.nodes where tree.left[node] >= 0 { gains[Int(tree.feature[node])] += tree.gain[node] }
        }
        let total = gains.reduce(0, +)
        return total > 0 ? gains.map { $0 / total } : gains
    }
}
