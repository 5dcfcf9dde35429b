import Base
import CNumeric
import Scoring

/// A grf causal forest as text (plain or gzipped): see exporters/grf_export.R for the format.
///
/// A class, since it owns the open file. Memory: one tree and one line. What the trees themselves say (children,
/// features, cycles) is checked by `ModelBuilder`.
package final class GRFSource: TreeSource {
    package let path: String
    package let header: GRFHeader
    package let trees: Int
    /// Trees that share one half-sample; 1: fitted without, so there are no standard errors.
    package let groupSize: Int
    package let featureCount: Int

    private let reader: GzipLineReader
    private let limits: ImportLimits
    private var next = 0

    /// Averages of a leaf: Y W Z YZ WZ ZZ G.
    private static let values = 7

    package init(path: String, limits: ImportLimits = ImportLimits()) throws(ImpactError) {
        let reader = try GzipLineReader(path: path, lineBytes: limits.lineBytes)
        self.path = path
        self.limits = limits
        self.reader = reader
        var header = GRFHeader()
        var headerBytes = 0
        var first: UnsafeRawBufferPointer?
        while let line = try reader.next() {
            guard line.first == UInt8(ascii: "#") else {
                first = line
                break
            }
            headerBytes += line.count
            guard headerBytes <= limits.metadataBytes, header.featureNames.count <= limits.features else {
                throw Self.fault(reader, "import_limit", "the lines that begin with # are longer than expected")
            }
            if let (code, reason) = header.take(String(decoding: line.dropFirst(), as: UTF8.self)) {
                throw Self.fault(reader, code, reason)
            }
        }
        guard let first else { throw Self.fault(reader, "import_truncated", "the file holds no forest") }
        var words = Words(first)
        guard let trees = words.integer(), let group = words.integer(), let features = words.integer(), words.isAtEnd
        else {
            throw Self.fault(
                reader, "import_text", "expected \"trees ci_group_size features\"; is this a file of grf_export.R?")
        }
        guard trees >= 1, trees <= limits.trees else {
            throw Self.fault(reader, "import_limit", "\(trees) trees; a forest has 1 to \(limits.trees)")
        }
        guard features >= 1, features <= limits.features else {
            throw Self.fault(reader, "import_limit", "\(features) features; a forest has 1 to \(limits.features)")
        }
        guard group >= 1, trees % group == 0, group == 1 || trees / group >= 2 else {
            throw Self.fault(reader, "import_text", "\(trees) trees are not two or more groups of \(group)")
        }
        guard header.featureNames.isEmpty || header.featureNames.count == features else {
            throw Self.fault(
                reader, "import_metadata", "\(header.featureNames.count) feature names for \(features) features")
        }
        self.header = header
        self.trees = trees
        self.groupSize = group
        self.featureCount = features
    }

    package func nextTree() throws(ImpactError) -> RawTree? {
        guard next < trees else {
            while let line = try reader.next() {
                var words = Words(line)
                guard words.isAtEnd else { throw fault("text follows the last tree") }
            }
            return nil
        }
        var words = Words(try line())
        guard let nodes = words.integer(), let root = words.integer(), words.isAtEnd else {
            throw fault("expected \"nodes root\" of tree \(next)")
        }
        guard nodes >= 1, nodes <= limits.nodesOfATree else {
            throw fault("tree \(next) has \(nodes) nodes; a tree has 1 to \(limits.nodesOfATree)")
        }
        guard let root = Int32(exactly: root) else { throw fault("tree \(next) starts at node \(root)") }
        var tree = RawTree(root: root, left: [], right: [], feature: [], threshold: [], payload: [])
        for node in 0..<nodes { try read(node, into: &tree) }
        next += 1
        return tree
    }

    private func read(_ node: Int, into tree: inout RawTree) throws(ImpactError) {
        var words = Words(try line())
        guard let left = words.integer(), let right = words.integer(), let feature = words.integer(),
            let threshold = words.double(), let missingLeft = words.integer(), let count = words.integer(),
            let left = Int32(exactly: left), let right = Int32(exactly: right), let feature = Int32(exactly: feature),
            missingLeft == 0 || missingLeft == 1
        else {
            throw fault(
                "tree \(next), node \(node): expected \"left right split_var split_value send_missing_left values\"")
        }
        guard count == 0 || count == Self.values else {
            throw fault("tree \(next), node \(node): \(count) values; a leaf has \(Self.values), or 0 when it is empty")
        }
        let isLeaf = left == 0 && right == 0
        tree.left.append(isLeaf ? -1 : left)
        tree.right.append(isLeaf ? -1 : right)
        tree.feature.append(feature)
        tree.threshold.append(threshold)
        tree.missingLeft.append(missingLeft == 1)
        for _ in 0..<count {
            guard let value = words.double(), value.isFinite else {
                throw fault("tree \(next), node \(node): a leaf value is missing or not a number")
            }
            if isLeaf { tree.payload.append(value) }
        }
        if isLeaf, count == 0 { for _ in 0..<Self.values { tree.payload.append(.nan) } }
        guard words.isAtEnd else { throw fault("tree \(next), node \(node): the line goes on after its last value") }
    }

    private func line() throws(ImpactError) -> UnsafeRawBufferPointer {
        guard let line = try reader.next() else {
            throw Self.fault(reader, "import_truncated", "the file ends in tree \(next) of \(trees)")
        }
        return line
    }

    private func fault(_ what: String) -> ImpactError { Self.fault(reader, "import_text", what) }

    private static func fault(_ reader: GzipLineReader, _ code: String, _ what: String) -> ImpactError {
        ImpactError(.badInput, code: code, "\(reader.path), line \(max(reader.lineNumber, 1)): \(what)")
    }
}

/// The words of a line, separated by spaces or tabs.
private struct Words {
    private let line: UnsafeRawBufferPointer
    private var at = 0

    init(_ line: UnsafeRawBufferPointer) { self.line = line }

    private mutating func skipSpace() {
        while at < line.count, line[at] == 0x20 || line[at] == 0x09 { at += 1 }
    }

    var isAtEnd: Bool {
        mutating get {
            skipSpace()
            return at == line.count
        }
    }

    private mutating func word() -> UnsafeRawBufferPointer? {
        skipSpace()
        let start = at
        while at < line.count, line[at] != 0x20, line[at] != 0x09 { at += 1 }
        return at > start ? UnsafeRawBufferPointer(rebasing: line[start..<at]) : nil
    }

    /// A whole number of at most 18 digits.
    mutating func integer() -> Int? {
        guard let word = word(), word.count <= 19 else { return nil }
        let isNegative = word[0] == UInt8(ascii: "-")
        let digits = isNegative ? word.dropFirst() : word[...]
        guard !digits.isEmpty, digits.count <= 18 else { return nil }
        var value = 0
        for digit in digits {
            guard digit >= 0x30, digit <= 0x39 else { return nil }
            value = value * 10 + Int(digit - 0x30)
        }
        return isNegative ? -value : value
    }

    /// A number, `nan` or `inf`.
    mutating func double() -> Double? {
        guard let word = word(), let start = word.baseAddress else { return nil }
        var value = 0.0
        guard cnumeric_read_double(start.assumingMemoryBound(to: CChar.self), word.count, &value) == 0 else {
            return nil
        }
        return value
    }
}
