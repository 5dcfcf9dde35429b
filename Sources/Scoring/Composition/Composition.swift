import Base

/// How the predictions of a model follow from additive trees, linear models and causal forests: what a model file holds
/// beside its trees when it is not a plain causal forest.
///
/// A *part* gives one number for a row; an *effect* is a sum of products of parts. So every learner is the same file to
/// stream, API and CSV:
///
/// | learner | parts | effect |
/// |---|---|---|
/// | response | p: trees or linear, logistic link | p |
/// | S-learner | μ with the treatment fixed at 1 and at 0 (`DecisionTree.fixing`) | μ₁ − μ₀ |
/// | T-learner | μ₁, μ₀ | μ₁ − μ₀ |
/// | X-learner | e (logistic), τ₀, τ₁ | e τ₀ + τ₁ − e τ₁ |
/// | R-, DR-learner | τ | τ |
/// | linear DML | linear part with `covariance` | τ, with its standard error |
/// | causal forest with an offset | causal forest, linear part | forest + offset, with the forest's standard error |
///
/// Making one (trees from `GradientBoosting` become a `TreeSource`; see `AdditiveTrees`):
/// ```swift
/// let composition = Composition(
///     kind: "t-learner", parts: [.trees(.init(name: "treated", base: a.base)), .trees(.init(name: "control", base: b.base))],
///     effects: [.difference(0, 1)])
/// let metadata = ModelMetadata(name: …, treatments: ["ad"], outcomes: ["visit"], featureNames: names, composition: composition)
/// var builder = try ModelBuilder(metadata: metadata, path: path)
/// try builder.addForest(.additive(features: n), trees: &first)    // once for each `.trees` and for each causal forest,
/// try builder.addForest(.additive(features: n), trees: &second)   // in the order of the parts
/// try builder.finish()
/// ```
/// Standard errors: an effect has one when exactly one of its terms consists of a part that has one (a causal forest with
/// little bags, or a linear part with a covariance), scaled by the term's weight; the other terms count as exact.
package struct Composition: Codable, Sendable, Equatable {
    /// `response`, `causal-forest`, `s-learner` …; for people and reports.
    package var kind: String
    package var parts: [Part]
    /// One an effect: treatment-major, as `Model.effectIndex` counts.
    package var effects: [Effect]
    /// What happens to a row's values before the parts see them; nil: nothing.
    package var preprocessing: Preprocessing?
    /// For response models, the probability above which a customer is shown an ad for the outcome; one an outcome.
    package var thresholds: [Double]?
    /// For response models, the probability from which the outcome is predicted (chosen on validation rows); one an outcome.
    package var cutoffs: [Double]?
    /// How the model did on rows held out of training: a JSON object as text.
    package var metrics: String?
    /// Whether a value that is missing after the preprocessing leaves the row without an estimate.
    package var refusesMissing: Bool

    package init(
        kind: String, parts: [Part], effects: [Effect], preprocessing: Preprocessing? = nil,
        thresholds: [Double]? = nil, cutoffs: [Double]? = nil, metrics: String? = nil, refusesMissing: Bool = false
    ) {
        self.kind = kind
        self.parts = parts
        self.effects = effects
        self.preprocessing = preprocessing
        self.thresholds = thresholds
        self.cutoffs = cutoffs
        self.metrics = metrics
        self.refusesMissing = refusesMissing
    }

    package static let response = "response"

    /// What a part's number goes through.
    package enum Link: String, Codable, Sendable, CaseIterable {
        case identity = "identity"
        /// 1 / (1 + e^−x), the same bits on every machine (`Logistic.sigmoid`).
        case logistic = "logistic"
    }

    package enum Part: Codable, Sendable, Equatable {
        /// base + Σ leaf values of an additive forest of the file.
        case trees(Trees)
        case linear(Linear)
        /// An effect of a causal forest of the file, with its standard error.
        case causal(Causal)

        // `{"trees": {…}}`: one member, whose name stands in model files.
        private enum CodingKeys: String, CodingKey {
            case trees = "trees"
            case linear = "linear"
            case causal = "causal"
        }

        package init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: CodingKeys.self)
            if let trees = try container.decodeIfPresent(Trees.self, forKey: .trees) {
                self = .trees(trees)
            } else if let linear = try container.decodeIfPresent(Linear.self, forKey: .linear) {
                self = .linear(linear)
            } else {
                self = .causal(try container.decode(Causal.self, forKey: .causal))
            }
        }

        package func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: CodingKeys.self)
            switch self {
            case .trees(let trees): try container.encode(trees, forKey: .trees)
            case .linear(let linear): try container.encode(linear, forKey: .linear)
            case .causal(let causal): try container.encode(causal, forKey: .causal)
            }
        }
    }

    package struct Trees: Codable, Sendable, Equatable {
        /// What it predicts, for people.
        package var name: String
        package var base: Double
        package var link: Link
        /// Whether the sum itself is a probability, as the mean of leaves of 0 and 1 is; nil: no.
        package var isProbability: Bool?

        package init(name: String, base: Double, link: Link = .identity, isProbability: Bool? = nil) {
            self.name = name
            self.base = base
            self.link = link
            self.isProbability = isProbability
        }
    }

    /// intercept + Σ coefficient × product of one or two features, each less its centre and times its scale.
    package struct Linear: Codable, Sendable, Equatable {
        package struct Term: Codable, Sendable, Equatable {
            package var coefficient: Double
            /// One or two features (after preprocessing).
            package var features: [Int]
            /// Of the coefficient, when it is known.
            package var standardError: Double?

            package init(_ coefficient: Double, _ features: [Int], standardError: Double? = nil) {
                self.coefficient = coefficient
                self.features = features
                self.standardError = standardError
            }
        }

        package var name: String
        package var intercept: Double
        package var terms: [Term]
        package var link: Link
        /// One a feature after preprocessing; nil: 0 and 1.
        package var centres: [Double]?
        package var scales: [Double]?
        /// Whether a missing value counts as its feature's centre; otherwise the part has no value.
        package var missingIsCentre: Bool
        /// (terms + 1)², row major, the intercept last: the coefficients' covariance, for a standard error of the margin.
        package var covariance: [Double]?
        package var interceptError: Double?

        package init(
            name: String, intercept: Double, terms: [Term], link: Link = .identity, centres: [Double]? = nil,
            scales: [Double]? = nil, missingIsCentre: Bool = false, covariance: [Double]? = nil,
            interceptError: Double? = nil
        ) {
            self.name = name
            self.intercept = intercept
            self.terms = terms
            self.link = link
            self.centres = centres
            self.scales = scales
            self.missingIsCentre = missingIsCentre
            self.covariance = covariance
            self.interceptError = interceptError
        }
    }

    package struct Causal: Codable, Sendable, Equatable {
        package var name: String
        /// Counted among the causal forests of the composition, from 0.
        package var forest: Int
        /// The treatment's number in that forest.
        package var effect: Int

        package init(name: String, forest: Int, effect: Int) {
            self.name = name
            self.forest = forest
            self.effect = effect
        }
    }

    /// Σ weight × product of parts.
    package struct Effect: Codable, Sendable, Equatable {
        package struct Term: Codable, Sendable, Equatable {
            package var weight: Double
            /// Numbers of parts; at least one.
            package var parts: [Int]

            package init(_ weight: Double, _ parts: [Int]) {
                self.weight = weight
                self.parts = parts
            }
        }

        package var terms: [Term]

        package init(_ terms: [Term]) { self.terms = terms }

        /// One part as it is.
        package static func part(_ index: Int) -> Effect { Effect([Term(1, [index])]) }
        /// One part less another.
        package static func difference(_ first: Int, _ second: Int) -> Effect {
            Effect([Term(1, [first]), Term(-1, [second])])
        }
    }

    /// How many causal forests the parts name.
    package var causalForests: Int {
        parts.reduce(0) { if case .causal(let part) = $1 { max($0, part.forest + 1) } else { $0 } }
    }

    /// The names of the file's forests in their order: trees and causal forests as they first appear among the parts.
    package var forestNames: [String] { forestSlots.map(\.name) }

    /// The file's forests: for each the name, and nil for additive trees or the number of the causal forest.
    var forestSlots: [(name: String, causal: Int?)] {
        var slots: [(name: String, causal: Int?)] = []
        for part in parts {
            switch part {
            case .trees(let trees): slots.append((trees.name, nil))
            case .causal(let causal):
                if !slots.contains(where: { $0.causal == causal.forest }) { slots.append((causal.name, causal.forest)) }
            case .linear: break
            }
        }
        return slots
    }
}
