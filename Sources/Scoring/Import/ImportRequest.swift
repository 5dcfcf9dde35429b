import Features

/// Where a forest to import comes from.
public enum ImportKind: String, Sendable, CaseIterable {
    /// An .npz of exporters/econml_export.py.
    case econml
    /// Text of exporters/grf_export.R, plain or gzipped.
    case grf
}

/// What `ModelImporter` is to do.
public struct ImportRequest: Sendable {
    public var kind: ImportKind
    public var input: String
    /// The model file to write; it takes the place of an older one only when all is well.
    public var output: String
    public var name: String
    public var version: String
    /// The features that the events give, in the order of a row. When the forest's file names its features, they must be
    /// the same names in the same order. nil: the file's own.
    public var featureNames: [String]?
    /// The feature specification as canonical JSON; empty: the model can score rows only.
    public var specification: [UInt8] = []
    /// Outcomes of the file to import, or new names for all of them. nil: the file's own.
    public var outcomes: [String]?
    /// New names for the treatments. nil: the file's own.
    public var treatments: [String]?

    public init(kind: ImportKind, input: String, output: String, name: String, version: String) {
        self.kind = kind
        self.input = input
        self.output = output
        self.name = name
        self.version = version
    }

    /// A request for a model that scores events: its features are those of the specification, which goes into the file.
    public init(
        kind: ImportKind, input: String, output: String, name: String, version: String,
        specification: FeatureSpecification
    ) {
        self.init(kind: kind, input: input, output: output, name: name, version: version)
        featureNames = specification.names
        self.specification = specification.canonicalJSON
    }
}

/// How far an import is.
public struct ImportProgress: Sendable, Equatable {
    public var outcome: Int
    public var outcomes: Int
    /// Trees of this outcome's forest that are done, and all of them.
    public var trees: Int
    public var totalTrees: Int
}

/// What was imported.
public struct ImportSummary: Sendable, Equatable {
    public var output: String
    /// Of the model file, in hexadecimal.
    public var sha256: String
    public var features: [String]
    public var treatments: [String]
    public var outcomes: [String]
    /// Trees and nodes of all outcomes together.
    public var trees: Int
    public var nodes: Int
    /// False: the forest was fitted without little bags, so its scores have no standard error.
    public var hasIntervals: Bool
}
