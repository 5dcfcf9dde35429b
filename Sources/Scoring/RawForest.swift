import Base

/// Which estimator a forest comes from: it decides what a leaf holds and how θ and its variance follow from it.
package enum ForestKind: UInt32, Sendable, CaseIterable {
    /// EconML `CausalForestDML`: a leaf holds the honest means of w·y·T (p values) and of w·T·Tᵀ (p × p, row major).
    case econml = 1
    /// grf `causal_forest`: a leaf holds the seven averages Y W Z YZ WZ ZZ G (G: the sample weight).
    case grf = 2
    /// Trees whose leaf values add up (boosted trees, random forests): a leaf holds one value. Only inside a `Composition`.
    case additive = 3
}

/// What a model does with a missing (NaN) feature value.
package enum MissingValues: UInt32, Sendable {
    /// The row has no estimate: EconML was trained without missing values, nor takes infinite ones.
    case refuse = 0
    /// Each split says where a missing value goes, as in grf.
    case route = 1
}

/// The shape of one forest: what its trees share.
package struct ForestInfo: Sendable, Equatable {
    package var kind: ForestKind
    /// p: parameters solved for, the constant last when the forest has an intercept. EconML only; 1 for grf.
    package var parameters: Int
    /// q ≤ p: treatment parameters, which come first. 1 for grf.
    package var treatments: Int
    /// Consecutive trees that share one half-sample: EconML `subforest_size`, grf `ci_group_size`. 1: no standard error.
    package var groupSize: Int
    package var featureCount: Int
    package var missing: MissingValues

    package init(
        kind: ForestKind, parameters: Int, treatments: Int, groupSize: Int, featureCount: Int, missing: MissingValues
    ) {
        self.kind = kind
        self.parameters = parameters
        self.treatments = treatments
        self.groupSize = groupSize
        self.featureCount = featureCount
        self.missing = missing
    }

    /// Doubles in a leaf's payload: p + p² for EconML (w·y·T, then w·T·Tᵀ row major), 7 for grf.
    package var payloadColumns: Int {
        switch kind {
        case .econml: parameters + parameters * parameters
        case .grf: 7
        case .additive: 1
        }
    }

    /// Trees whose leaves add up; `features` counts those after preprocessing.
    package static func additive(features: Int, missing: MissingValues = .route) -> ForestInfo {
        ForestInfo(
            kind: .additive, parameters: 1, treatments: 1, groupSize: 1, featureCount: features, missing: missing)
    }
}

/// One tree as it was fitted, before any check: `ModelBuilder` validates it.
///
/// The arrays have one element a node. A node with both children −1 is a leaf. A row goes left when
/// `x <= threshold` in double arithmetic; a NaN threshold (grf) sends every number right and a missing value left.
package struct RawTree: Sendable {
    /// The node at which the descent starts.
    package var root: Int32
    package var left: [Int32]
    package var right: [Int32]
    /// The feature of the split; ignored at leaves.
    package var feature: [Int32]
    /// The threshold of the split; ignored at leaves.
    package var threshold: [Double]
    /// Where a missing value goes; empty: to the right everywhere. Ignored at leaves and by models that refuse NaN.
    package var missingLeft: [Bool]
    /// `ForestInfo.payloadColumns` doubles a leaf, leaves in the order of their node numbers. A row of NaN alone is an
    /// empty leaf (grf only: the tree is then skipped for the row).
    package var payload: [Double]

    package init(
        root: Int32 = 0, left: [Int32], right: [Int32], feature: [Int32], threshold: [Double],
        missingLeft: [Bool] = [], payload: [Double]
    ) {
        self.root = root
        self.left = left
        self.right = right
        self.feature = feature
        self.threshold = threshold
        self.missingLeft = missingLeft
        self.payload = payload
    }
}

/// Gives the trees of one forest in order, one at a time, so that no forest need be in memory at once.
///
/// The trees of one little bag follow each other: trees 0 …< groupSize are the first bag, and so on.
package protocol TreeSource {
    /// The next tree, or nil after the last one.
    mutating func nextTree() throws(ImpactError) -> RawTree?
}

/// What a model file says about itself besides its trees.
package struct ModelMetadata: Sendable, Equatable {
    package var name: String
    package var version: String
    /// One name an effect of an outcome: arms other than the control, or one continuous treatment.
    package var treatments: [String]
    /// One name a forest.
    package var outcomes: [String]
    /// One name a feature, in the order of a row.
    package var featureNames: [String]
    /// The feature specification as canonical JSON (`FeatureSpecification.canonicalJSON`); empty when the model was
    /// imported without one and can score rows only.
    package var specification: [UInt8]
    /// Where the forest comes from, a JSON object as text; `{}` when nothing is known.
    package var provenance: String
    /// Importance of each feature by the heterogeneity its splits gained, when the estimator gave it.
    package var importances: [Double]?
    /// For each treatment the weights on the q treatment parameters whose sum is its effect, when these are not
    /// simply one parameter each (EconML: featurised treatments).
    package var contrasts: [[Double]]?
    /// What values each feature had in training, in the order of `featureNames`; nil when that is not known.
    package var ranges: [FeatureRange]?
    /// For features that are categories their texts in the order of their codes; nil for numbers.
    package var levels: [[String]?]?
    /// One an outcome: what is added to its forest's effects; nil: nothing.
    package var offsets: [EffectOffset?]?
    /// How the effects follow from several forests and linear parts; nil: one causal forest an outcome.
    package var composition: Composition?

    package init(
        name: String, version: String, treatments: [String], outcomes: [String], featureNames: [String],
        specification: [UInt8] = [], provenance: String = "{}", importances: [Double]? = nil,
        contrasts: [[Double]]? = nil, ranges: [FeatureRange]? = nil, levels: [[String]?]? = nil,
        offsets: [EffectOffset?]? = nil, composition: Composition? = nil
    ) {
        self.name = name
        self.version = version
        self.treatments = treatments
        self.outcomes = outcomes
        self.featureNames = featureNames
        self.specification = specification
        self.provenance = provenance
        self.importances = importances
        self.contrasts = contrasts
        self.ranges = ranges
        self.levels = levels
        self.offsets = offsets
        self.composition = composition
    }

    /// Features that the trees see: after preprocessing, if there is any.
    package var treeFeatureCount: Int { composition?.preprocessing?.outputCount ?? featureNames.count }
    /// The forests that the model has, in their order.
    package var forestNames: [String] { composition?.forestNames ?? outcomes }
}
