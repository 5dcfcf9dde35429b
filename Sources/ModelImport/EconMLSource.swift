import Base
import Scoring

/// The trees of an EconML forest in an .npz, one at a time: six arrays of the archive are read side by side.
///
/// Memory: one tree. What the trees themselves say (children, features, thresholds) is checked by `ModelBuilder`.
package struct EconMLSource: TreeSource {
    private let forest: EconMLFile.Forest
    private let left: NumpyArrayReader
    private let right: NumpyArrayReader
    private let feature: NumpyArrayReader
    private let threshold: NumpyArrayReader
    private let jacobian: NumpyArrayReader
    private let precond: NumpyArrayReader
    private var next = 0

    init(archive: ZipArchive, forest: EconMLFile.Forest) throws(ImpactError) {
        self.forest = forest
        let (nodes, p) = (forest.nodes, forest.parameters)
        func open(
            _ name: String, _ shape: [Int], _ elements: [NumpyHeader.Element]
        ) throws(ImpactError) -> NumpyArrayReader {
            let array = try NumpyArrayReader(archive, name + forest.suffix)
            try array.require(shape: shape, elements: elements)
            return array
        }
        left = try open("left", [nodes], [.int32, .int64])
        right = try open("right", [nodes], [.int32, .int64])
        feature = try open("feature", [nodes], [.int32, .int64])
        threshold = try open("threshold", [nodes], [.float64, .float32])
        jacobian = try open("jac", [nodes, p * p], [.float64, .float32])
        precond = try open("precond", [nodes, p], [.float64, .float32])
    }

    package mutating func nextTree() throws(ImpactError) -> RawTree? {
        guard next < forest.trees else {
            for array in [left, right, feature, threshold, jacobian, precond] { try array.finish() }
            return nil
        }
        let tree = next
        next += 1
        let nodes = forest.offsets[tree + 1] - forest.offsets[tree]
        let place = { (node: Int) in "tree \(tree), node \(node)" }
        let left = try left.integers(nodes, at: place)
        let right = try right.integers(nodes, at: place)
        let feature = try feature.integers(nodes, at: place)
        var threshold: [Double] = []
        try self.threshold.doubles(nodes, into: &threshold)
        return RawTree(
            left: left, right: right, feature: feature, threshold: threshold, payload: try payload(left, right))
    }

    /// w·y·T and w·T·Tᵀ of the leaves. EconML keeps both at every node; those above the leaves are passed over.
    private func payload(_ left: [Int32], _ right: [Int32]) throws(ImpactError) -> [Double] {
        let p = forest.parameters
        var payload: [Double] = []
        var (a, j): ([Double], [Double]) = ([], [])
        // A block of nodes at a time: a tree's arrays need not be in memory beside its leaves.
        let block = 4096
        for start in stride(from: 0, to: left.count, by: block) {
            let end = min(start + block, left.count)
            a.removeAll(keepingCapacity: true)
            j.removeAll(keepingCapacity: true)
            try precond.doubles((end - start) * p, into: &a)
            try jacobian.doubles((end - start) * p * p, into: &j)
            for node in start..<end where left[node] == -1 && right[node] == -1 {
                let row = node - start
                payload += a[row * p..<(row + 1) * p]
                payload += j[row * p * p..<(row + 1) * p * p]
            }
        }
        return payload
    }
}
