import Base

/// An EconML forest exported as .npz: see exporters/econml_export.py for the arrays.
///
/// Opening it reads the metadata and the offsets of the trees; nodes are read by `source(outcome:)`.
package struct EconMLFile {
    /// One outcome's forest.
    package struct Forest {
        /// What follows each of its array names: nothing, `_1`, `_2`, …
        package var suffix: String
        package var parameters: Int
        package var treatments: Int
        /// 1: fitted without little bags, so without intervals.
        package var groupSize: Int
        /// Tree t is nodes offsets[t] ..< offsets[t + 1].
        package var offsets: [Int]
        package var importances: [Double]?

        package var trees: Int { offsets.count - 1 }
        package var nodes: Int { offsets[offsets.count - 1] }
    }

    package let path: String
    /// nil when the arrays were saved by hand.
    package let metadata: EconMLMetadata?
    package let forests: [Forest]
    private let limits: ImportLimits

    package init(path: String, limits: ImportLimits = ImportLimits()) throws(ImpactError) {
        let archive = try ZipArchive(path: path)
        self.path = path
        self.limits = limits
        metadata = try Self.readMetadata(archive, limits)
        var forests: [Forest] = []
        while forests.count <= limits.outcomes {
            let suffix = forests.isEmpty ? "" : "_\(forests.count)"
            if !forests.isEmpty, try archive.size(of: "offsets\(suffix).npy") == nil { break }
            forests.append(try Self.readForest(archive, suffix, limits))
        }
        guard forests.count <= limits.outcomes else {
            throw ImpactError(
                .badInput, code: "import_limit", "\(path): it holds more than \(limits.outcomes) outcomes")
        }
        for forest in forests
        where forest.parameters != forests[0].parameters || forest.treatments != forests[0].treatments {
            throw ImpactError(
                .badInput, code: "import_array",
                "\(path): arrays p\(forest.suffix) and q\(forest.suffix) differ from p and q: the outcomes of one model "
                    + "share their treatments")
        }
        self.forests = forests
        if let metadata {
            try Self.compare(path, metadata, forests)
        }
    }

    private static func compare(_ path: String, _ metadata: EconMLMetadata, _ forests: [Forest]) throws(ImpactError) {
        for (what, names, count) in [
            ("outcome_names", metadata.outcomeNames.count, forests.count),
            ("treatment names", metadata.treatmentNames.count, forests[0].treatments),
        ] where names != count {
            throw ImpactError(
                .badInput, code: "import_metadata",
                "\(path): array metadata: \(names) \(what), but the arrays have \(count)")
        }
        for forest in forests {
            if let count = forest.importances?.count, count != metadata.featureNames.count {
                throw ImpactError(
                    .badInput, code: "import_array",
                    "\(path): array feature_importance\(forest.suffix): it has \(count) values for "
                        + "\(metadata.featureNames.count) features")
            }
        }
    }

    private static func readMetadata(
        _ archive: ZipArchive, _ limits: ImportLimits
    ) throws(ImpactError) -> EconMLMetadata? {
        guard try archive.size(of: "metadata.npy") != nil else { return nil }
        let array = try NumpyArrayReader(archive, "metadata")
        try array.require(shape: [array.header.count], elements: [.uint8])
        guard array.header.count <= limits.metadataBytes else {
            throw array.refusal("it has \(array.header.count) bytes; at most \(limits.metadataBytes) are read")
        }
        let json = try array.bytes(array.header.count)
        try array.finish()
        return try EconMLMetadata(json: json, file: archive.path)
    }

    private static func readForest(
        _ archive: ZipArchive, _ suffix: String, _ limits: ImportLimits
    ) throws(ImpactError) -> Forest {
        func scalar(_ name: String, _ range: ClosedRange<Int>) throws(ImpactError) -> Int {
            let array = try NumpyArrayReader(archive, name + suffix)
            try array.require(shape: [], elements: [.int64, .int32])
            let value = try array.wideIntegers(1)[0]
            try array.finish()
            guard range.contains(value) else {
                throw array.refusal("it is \(value), expected \(range.lowerBound) to \(range.upperBound)")
            }
            return value
        }
        let parameters = try scalar("p", 1...limits.parameters)
        let treatments = try scalar("q", max(1, parameters - 1)...parameters)
        let bag = try scalar("subforest_size", 0...limits.trees)
        let offsets = try readOffsets(archive, suffix, limits)
        let trees = offsets.count - 1
        guard bag <= 1 || (trees % bag == 0 && trees / bag >= 2) else {
            throw ImpactError(
                .badInput, code: "import_array",
                "\(archive.path): array subforest_size\(suffix): \(trees) trees are not two or more bags of \(bag)")
        }
        return Forest(
            suffix: suffix, parameters: parameters, treatments: treatments, groupSize: max(1, bag), offsets: offsets,
            importances: try readImportances(archive, suffix, limits))
    }

    private static func readOffsets(
        _ archive: ZipArchive, _ suffix: String, _ limits: ImportLimits
    ) throws(ImpactError) -> [Int] {
        let array = try NumpyArrayReader(archive, "offsets" + suffix)
        let count = array.header.count
        try array.require(shape: [count], elements: [.int64, .int32])
        guard count >= 2, count - 1 <= limits.trees else {
            throw array.refusal("it has \(count) values; a forest has 1 to \(limits.trees) trees and one value more")
        }
        let offsets = try array.wideIntegers(count)
        try array.finish()
        guard offsets[0] == 0 else { throw array.refusal("it begins with \(offsets[0]), not 0") }
        for tree in 0..<count - 1 {
            let (nodes, overflow) = offsets[tree + 1].subtractingReportingOverflow(offsets[tree])
            guard !overflow, nodes >= 1, nodes <= limits.nodesOfATree else {
                throw array.refusal(
                    "tree \(tree) goes from node \(offsets[tree]) to \(offsets[tree + 1]); a tree has 1 to "
                        + "\(limits.nodesOfATree) nodes")
            }
        }
        guard offsets[count - 1] <= limits.nodes else { throw array.refusal("it has more than \(limits.nodes) nodes") }
        return offsets
    }

    private static func readImportances(
        _ archive: ZipArchive, _ suffix: String, _ limits: ImportLimits
    ) throws(ImpactError) -> [Double]? {
        let name = "feature_importance" + suffix
        guard try archive.size(of: name + ".npy") != nil else { return nil }
        let array = try NumpyArrayReader(archive, name)
        let count = array.header.count
        try array.require(shape: [count], elements: [.float64, .float32])
        guard count <= limits.features else {
            throw array.refusal("it has \(count) values; at most \(limits.features) features are read")
        }
        var values: [Double] = []
        try array.doubles(count, into: &values)
        try array.finish()
        guard values.allSatisfy(\.isFinite) else { throw array.refusal("it holds a value that is not a number") }
        return values
    }

    /// The trees of one outcome, read as they are asked for.
    package func source(outcome: Int) throws(ImpactError) -> EconMLSource {
        try EconMLSource(archive: try ZipArchive(path: path), forest: forests[outcome])
    }
}
