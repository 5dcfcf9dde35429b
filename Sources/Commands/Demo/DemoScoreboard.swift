import Simulation

/// Published scores against the truth of the simulation, by class.
///
/// Used by one thread; a copy is a snapshot.
package struct DemoScoreboard: Sendable {
    /// What one class of people got.
    package struct Row: Sendable {
        package var segment: Segment
        package var scores = 0
        /// Sums over the scores.
        package var truth = 0.0
        package var estimate = 0.0
        package var standardError = 0.0
        /// Scores whose interval holds the person's true effect.
        package var covered = 0
        package var treat = 0
        package var suppress = 0

        package var uncertain: Int { scores - treat - suppress }
    }

    package private(set) var rows = Segment.allCases.map { Row(segment: $0) }
    /// Scores of users that the simulation does not know.
    package private(set) var foreign = 0
    private let seed: UInt64
    private let users: Int

    package init(seed: UInt64, users: Int) {
        self.seed = seed
        self.users = users
    }

    /// Scores of people of the simulation.
    package var scores: Int { rows.reduce(0) { $0 + $1.scores } }
    /// All scores read.
    package var total: Int { scores + foreign }

    /// Counts one score of the user with this id.
    package mutating func add(
        user id: UnsafeRawBufferPointer, effect: Double, standardError: Double, lower: Double, upper: Double,
        isTreat: Bool, isSuppress: Bool
    ) {
        guard let index = TrialTruth.index(ofUser: id), index < users else {
            foreign += 1
            return
        }
        let user = TrialUser(seed: seed, index: index)
        let truth = user.strata.effect
        let i = Int(user.segment.rawValue)
        rows[i].scores += 1
        rows[i].truth += truth
        rows[i].estimate += effect
        rows[i].standardError += standardError
        rows[i].covered += lower <= truth && truth <= upper ? 1 : 0
        rows[i].treat += isTreat ? 1 : 0
        rows[i].suppress += isSuppress ? 1 : 0
    }
}
