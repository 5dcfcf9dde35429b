import Features

/// Where a forest to import comes from.
package enum ImportKind: String, Sendable, CaseIterable {
    /// An .npz of exporters/econml_export.py.
    case econml
    /// Text of exporters/grf_export.R, plain or gzipped.
    case grf
}

/// What `ModelImporter` is to do.
package struct ImportRequest: Sendable {
    package var kind: ImportKind
    package var input: String
    /// The model file to write; it takes the place of an older one only when all is well.
    package var output: String
    package var name: String
    package var version: String
    /// The features that the events give, in the order of a row. When the forest's file names its features, they must be
    /// the same names in the same order. nil: the file's own.
    package var featureNames: [String]?
    /// The feature specification as canonical JSON; empty: the model can score rows only.
    package var specification: [UInt8] = []
    /// Outcomes of the file to import, or new names for all of them. nil: the file's own.
    package var outcomes: [String]?
    /// New names for the treatments. nil: the file's own.
    package var treatments: [String]?

    package init(kind: ImportKind, input: String, output: String, name: String, version: String) {
        self.kind = kind
        self.input = input
        self.output = output
        self.name = name
        self.version = version
    }

    /// A request for a model that scores events: its features are those of the specification, which goes into the file.
    package init(
        kind: ImportKind, input: String, output: String, name: String, version: String,
        specification: FeatureSpecification
    ) {
        self.init(kind: kind, input: input, output: output, name: name, version: version)
        featureNames = specification.names
        self.specification = specification.canonicalJSON
    }
}

/// How far an import is.
package struct ImportProgress: Sendable, Equatable {
    package var outcome: Int
    package var outcomes: Int
    /// Trees of this outcome's forest that are done, and all of them.
    package var trees: Int
    package var totalTrees: Int
}

/// What was imported.
package struct ImportSummary: Sendable, Equatable {
    package var output: String
    /// Of the model file, in hexadecimal.
    package var sha256: String
    package var features: [String]
    package var treatments: [String]
    package var outcomes: [String]
    /// Trees and nodes of all outcomes together.
    package var trees: Int
    package var nodes: Int
    /// False: the forest was fitted without little bags, so its scores have no standard error.
    package var hasIntervals: Bool
}
