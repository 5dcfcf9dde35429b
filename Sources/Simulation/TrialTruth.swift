/// The truth about the population: what no experiment can see and every estimate is judged by.
package enum TrialTruth {
    /// The first line of the table that ``appendLine(of:seed:into:)`` continues.
    package static let header: StaticString =
        "user_id,segment,effect,baseline,persuaded,always,disturbed,engagement\n"

    /// One person's line: id, class, effect and baseline of an opportunity, strata probabilities, engagement.
    package static func appendLine(of index: Int, seed: UInt64, into text: inout String) {
        let user = TrialUser(seed: seed, index: index)
        let strata = user.strata
        text += "u-\(index),\(user.segment.name),\(strata.effect),\(strata.baseline),"
        text += "\(strata.persuaded),\(strata.always),\(strata.disturbed),\(user.engagement)\n"
    }

    /// Averages over the people of one class.
    package struct Summary: Sendable, Equatable {
        package var segment: Segment
        package var users = 0
        /// Mean of ``Strata/effect``.
        package var effect = 0.0
        /// Mean of ``Strata/baseline``.
        package var baseline = 0.0
    }

    /// The classes in the order of `Segment.allCases`; 150 ns a person.
    package static func summaries(seed: UInt64, users: Int) -> [Summary] {
        var summaries = Segment.allCases.map { Summary(segment: $0) }
        for index in 0..<users {
            let user = TrialUser(seed: seed, index: index)
            let i = Int(user.segment.rawValue)
            summaries[i].users += 1
            summaries[i].effect += user.strata.effect
            summaries[i].baseline += user.strata.baseline
        }
        for i in summaries.indices where summaries[i].users > 0 {
            summaries[i].effect /= Double(summaries[i].users)
            summaries[i].baseline /= Double(summaries[i].users)
        }
        return summaries
    }

    /// The index in a user's id as the simulation writes it, `u-17`; nil for another text.
    package static func index(ofUser id: UnsafeRawBufferPointer) -> Int? {
        guard id.count > 2, id.count <= 12, id[0] == 0x75, id[1] == 0x2D else { return nil }
        var index = 0
        for byte in id[2...] {
            guard byte >= 0x30, byte <= 0x39 else { return nil }
            index = index * 10 + Int(byte - 0x30)
        }
        return index
    }
}
