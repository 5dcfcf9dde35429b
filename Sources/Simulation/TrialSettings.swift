import Base

/// What a simulated trial is like. Equal settings give equal bytes.
package struct TrialSettings: Sendable, Equatable {
    package var seed: UInt64 = 1
    /// How many people there are; their ids are `u-0` … `u-(users − 1)`.
    package var users = 10_000
    /// When the trial starts, milliseconds since 1970; the default is 2026-01-01T00:00:00Z.
    package var start: Int64 = 1_767_225_600_000
    /// The probability with which an opportunity gets the ad.
    package var propensity = 0.5
    /// The trial's name in `treatment.experiment_id`.
    package var experiment = "ad-trial"
    /// How many campaigns the ads belong to.
    package var campaigns = 12
    /// Visits a person makes on average in a day of event time; about 3 events each.
    package var visitsPerDay = 3.0
    /// Milliseconds between two opportunities of a person at least; every outcome falls within it.
    package var outcomeWindow: Int64 = 24 * 3_600_000
    /// The share of events that arrive late, by up to ``greatestDelay`` of event time.
    package var outOfOrder = 0.0
    package var greatestDelay: Int64 = 10 * 60_000
    /// The share of events that arrive a second time, with the same `id`.
    package var duplicates = 0.0
    /// How many messages that no reader may accept there are for each valid one.
    package var invalid = 0.0

    package init() {}

    /// - Throws: `.usage` naming the setting that is out of its range.
    package func check() throws(ImpactError) {
        try require((1...Int(Int32.max)).contains(users), "users", "from 1 to \(Int32.max)")
        try require(propensity > 0 && propensity < 1, "propensity", "above 0 and below 1")
        try require((1...1000).contains(campaigns), "campaigns", "from 1 to 1000")
        try require(visitsPerDay > 0 && visitsPerDay <= 1000, "visits per day", "above 0, at most 1000")
        try require((3_600_000...90 * 86_400_000).contains(outcomeWindow), "the outcome window", "from 1h to 90d")
        try require(start >= 0 && start < 4_102_444_800_000, "start", "from 1970 to 2099")
        for (name, share) in [("out of order", outOfOrder), ("duplicates", duplicates), ("invalid", invalid)] {
            try require((0...0.5).contains(share), "the share of \(name)", "from 0 to 0.5")
        }
        try require((1...86_400_000).contains(greatestDelay), "the greatest delay", "from 1ms to 1d")
        let plain = experiment.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != 0x22 && $0 != 0x5C }
        try require(plain && (1...64).contains(experiment.utf8.count), "experiment", "1 to 64 plain characters")
    }

    private func require(_ holds: Bool, _ name: String, _ range: String) throws(ImpactError) {
        if !holds { throw ImpactError(.usage, code: "invalid_simulation", "\(name) must be \(range)") }
    }
}
