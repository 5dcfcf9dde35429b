import Base

/// The models, by the names under which commands know them. A new model is a case here and a line in ``AttributionModels``.
package enum ModelKind: String, CaseIterable, Sendable {
    case first
    case last
    case lastNonDirect = "last-non-direct"
    case linear
    case decay
    case position
    case positionW = "position-w"
    case ihc
    case markov
    case shapley
    case dataDriven = "data-driven"
    case causal

    /// One line about how it divides.
    package var summary: String {
        switch self {
        case .first: "all to the first session"
        case .last: "all to the last session"
        case .lastNonDirect: "all to the last session that is not direct"
        case .linear: "equally"
        case .decay: "half as much a half-life earlier"
        case .position: "40 % first, 40 % last, the rest between (U)"
        case .positionW: "30 % first, 30 % middle, 30 % last, the rest between (W)"
        case .ihc: "by phases initializer, holder, closer"
        case .markov: "by what removing a channel costs in a graph of paths"
        case .shapley: "by what a channel adds to sets of channels"
        case .dataDriven: "by what a session adds to a fitted chance to convert"
        case .causal: "by the uplift scores of the sessions"
        }
    }

    /// Whether it learns from all journeys first: then every journey is attributed anew at each run.
    package var learns: Bool {
        switch self {
        case .markov, .shapley, .dataDriven: true
        default: false
        }
    }

    package init(named name: String) throws(ImpactError) {
        if let kind = ModelKind(rawValue: name) {
            self = kind
            return
        }
        let names = Self.allCases.map(\.rawValue)
        let hint = NearestName.find(name, among: names).map { "; did you mean '\($0)'?" } ?? "."
        throw ImpactError(
            .usage, code: "unknown_model",
            "there is no attribution model '\(name)'\(hint) Known: " + names.joined(separator: ", "))
    }
}

/// Settings of all models.
package struct ModelOptions: Sendable {
    /// Milliseconds.
    package var halfLife: Double = 7 * 86_400_000
    package var markovOrder = 1
    package var shapleyWorth = ShapleyWorth.conversions
    package var permutations = 2_000
    package var seed: UInt64 = 1
    /// Channels that count as direct.
    package var direct: [String] = ["Direct", "Direct Traffic", "direct", "(direct)"]
    package var redistributesDirect = false
    package var ihc = IHCParameters.standard

    package init() {}
}

/// Makes models from settings.
package struct AttributionModels: Sendable {
    package let options: ModelOptions
    private let direct: Set<Int32>

    /// - Parameter channels: gets the direct channels, so that they are known before the first session is read.
    package init(_ options: ModelOptions, channels: inout ChannelTable) {
        self.options = options
        direct = Set(options.direct.map { channels.number(of: $0) })
    }

    /// A model that needs nothing but the journey; nil for those that learn.
    package func rule(_ kind: ModelKind) -> (any CreditModel)? {
        switch kind {
        case .first: FirstTouch()
        case .last: LastTouch()
        case .lastNonDirect: LastTouch(direct: direct)
        case .linear: LinearModel()
        case .decay: TimeDecay(halfLife: options.halfLife)
        case .position: PositionModel.u
        case .positionW: PositionModel.w
        case .ihc: IHCModel(options.ihc, redistributed: options.redistributesDirect ? direct : [])
        case .causal: CausalModel()
        case .markov, .shapley, .dataDriven: nil
        }
    }

    /// What learns from all journeys; nil for the others.
    package func fitter(_ kind: ModelKind) -> (any ModelFitter)? {
        switch kind {
        case .markov: MarkovFitter(order: options.markovOrder)
        case .shapley:
            ShapleyFitter(worth: options.shapleyWorth, permutations: options.permutations, seed: options.seed)
        case .dataDriven: DataDrivenFitter(halfLife: options.halfLife)
        default: nil
        }
    }
}
