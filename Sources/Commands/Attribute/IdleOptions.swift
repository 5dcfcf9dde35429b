import Attribution
import Base
import Terminal

/// Options that cannot do anything are errors: who gives `--from` believes in a range.
enum IdleOptions {
    private static let ofEvents = ["from", "to", "warmup", "input", "split-users", "session-timeout"]
    private static let ofUsers = [
        "lookback", "cut", "time-zone", "channel-rules", "channels", "currency", "rate", "scores", "since", "grace",
    ]
    private static let ofModels: [(names: [String], models: [ModelKind])] = [
        (["order"], [.markov]), (["worth", "permutations", "seed"], [.shapley]),
        (["half-life"], [.decay, .dataDriven]),
        (["ihc", "redistribute-direct"], [.ihc]), (["direct"], [.lastNonDirect, .ihc]),
    ]

    /// - Parameter kinds: the models that the command uses; nil for those of an answer from elsewhere.
    static func refuse(_ command: ParsedCommand, _ kinds: [ModelKind]?) throws(ImpactError) {
        let known = Set(command.options.map(\.name))
        func given(_ names: [String]) -> String? { names.first { known.contains($0) && command.isGiven($0) } }
        if command.texts("source") != ["topic"], let name = given(ofEvents) {
            throw command.invalid(name, "is for --source topic; other sources are read whole")
        }
        if AttributeInput.paths(command) != nil, let name = given(ofUsers) {
            throw command.invalid(name, "is not for a file of paths, which has no users, times, costs or currencies")
        }
        if known.contains("grace"), command.isGiven("grace"), !command.isGiven("since") {
            throw command.invalid("grace", "is for --since last: other runs attribute everything")
        }
        if known.contains("channels"), command.isGiven("channels"),
            command.text("channels")?.allSatisfy({ $0 == "," || $0 == " " }) == true
        {
            throw command.invalid("channels", "names no channel: every session would be (unknown)")
        }
        guard let kinds else { return }
        for (names, models) in ofModels {
            guard let name = given(names), !kinds.contains(where: { models.contains($0) }) else { continue }
            throw command.invalid(name, "is for --model \(models.map(\.rawValue).joined(separator: " or "))")
        }
    }
}
