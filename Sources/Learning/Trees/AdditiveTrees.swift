import Base
import Scoring

/// An ensemble's trees on their way into a model file.
///
/// ```swift
/// var source = AdditiveTrees(ensemble)
/// try builder.addForest(.additive(features: ensemble.features), trees: &source)
/// let part = ensemble.part(name: "outcome")       // base and link, for the `Composition`
/// ```
package struct AdditiveTrees: TreeSource {
    private let trees: [DecisionTree]
    private var next = 0

    package init(_ ensemble: TreeEnsemble) {
        // A file's forest has a tree at the least: one leaf that adds nothing.
        guard ensemble.trees.isEmpty else {
            trees = ensemble.trees
            return
        }
        var leaf = DecisionTree()
        _ = leaf.addLeaf(cover: 0)
        trees = [leaf]
    }

    package mutating func nextTree() throws(ImpactError) -> RawTree? {
        guard next < trees.count else { return nil }
        defer { next += 1 }
        let tree = trees[next]
        return RawTree(
            left: tree.left, right: tree.right, feature: tree.feature, threshold: tree.threshold.map { Double($0) },
            missingLeft: tree.missingLeft,
            payload: tree.left.indices.filter { tree.left[$0] < 0 }.map { tree.value[$0] })
    }
}

extension TreeEnsemble {
    /// Base and link as a part of a composition.
    ///
    /// - Parameter isProbability: with the identity link, the margin itself is a probability: a forest of 0 and 1.
    package func part(name: String, isProbability: Bool = false) -> Composition.Part {
        .trees(
            Composition.Trees(
                name: name, base: base, link: link == .logistic ? .logistic : .identity,
                isProbability: isProbability && link == .identity ? true : nil))
    }

    /// The ensemble of the rows whose `feature` is `value` (NaN: missing): splits on it are decided, so that the feature no
    /// longer occurs. How an S-learner's model becomes its two arms.
    package func fixing(feature: Int, to value: Float) -> TreeEnsemble {
        var fixed = self
        fixed.trees = trees.map { $0.fixing(feature: feature, to: value) }
        return fixed
    }
}

extension DecisionTree {
    /// The tree of the rows whose `feature` is `value`.
    package func fixing(feature fixed: Int, to value: Float) -> DecisionTree {
        var tree = DecisionTree()
        /// Past the splits that are decided.
        func settle(_ node: Int) -> Int {
            var node = node
            while left[node] >= 0, Int(feature[node]) == fixed {
                let goesLeft = value.isNaN ? missingLeft[node] : value <= threshold[node]
                node = Int(goesLeft ? left[node] : right[node])
            }
            return node
        }
        var queue = [(old: settle(0), new: tree.addLeaf(cover: cover[settle(0)]))]
        while let (old, new) = queue.popLast() {
            tree.value[new] = self.value[old]
            guard left[old] >= 0 else { continue }
            tree.feature[new] = feature[old]
            tree.threshold[new] = threshold[old]
            tree.missingLeft[new] = missingLeft[old]
            tree.bin[new] = bin[old]
            tree.gain[new] = gain[old]
            let children = (settle(Int(left[old])), settle(Int(right[old])))
            let (a, b) = (tree.addLeaf(cover: cover[children.0]), tree.addLeaf(cover: cover[children.1]))
            (tree.left[new], tree.right[new]) = (Int32(a), Int32(b))
            queue.append((children.0, a))
            queue.append((children.1, b))
        }
        return tree
    }
}
