import Attribution
import Base

/// Sends the journeys that have no answer yet, call by call, and stores each answer before the next call.
package enum IHCCollection {
    package struct Outcome {
        package var journeys = 0
        package var answeredBefore = 0
        package var answeredNow = 0
        /// Conversions without a usable answer after two calls, and why the first of them has none.
        package var unanswered = 0
        package var why: String?
        /// Journeys longer than a call may be.
        package var tooLong = 0
    }

    package static func collect(
        _ journeys: [Journey], _ channels: ChannelTable, _ client: IHCClient, _ answers: IHCAnswers,
        progress: ((Int) -> Void)? = nil
    ) throws(ImpactError) -> Outcome {
        var outcome = Outcome()
        outcome.journeys = journeys.count
        let known = try answers.answered()
        var waiting: [Journey] = []
        for journey in journeys {
            if journey.touches.count > IHCClient.maximumSessions {
                outcome.tooLong += 1
            } else if known[journey.conversion?.id ?? ""] == IHCAnswers.mark(journey, channels) {
                outcome.answeredBefore += 1
            } else {
                waiting.append(journey)
            }
        }
        // What comes back wrong or not at all is asked once more.
        for round in 1...2 {
            var failed: [Journey] = []
            for call in IHCClient.calls(waiting) {
                let answer = try client.compute(call)
                try answers.store(call, channels, answer.credit)
                outcome.answeredNow += answer.credit.count
                progress?(outcome.answeredBefore + outcome.answeredNow)
                let lost = Set(answer.failed.map(\.id))
                failed += call.filter { lost.contains($0.conversion?.id ?? "") }
                if round == 2, outcome.why == nil { outcome.why = answer.failed.first.map { "\($0.id): \($0.why)" } }
            }
            waiting = failed
            if waiting.isEmpty { break }
        }
        outcome.unanswered = waiting.count
        return outcome
    }
}
