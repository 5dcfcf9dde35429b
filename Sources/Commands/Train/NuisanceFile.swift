import Base
import Foundation
import Training

/// `--save-nuisances`: what the forest was grown on, one line per row used, in the order of the file.
enum NuisanceFile {
    static func write(_ path: String, _ data: TrainingData, _ result: TrainingResult) throws {
        let file = try OutputFile(path)
        var names = data.plan.outcomes.map { "expected:\($0)" }
        names += (data.plan.arms ?? []).map { "propensity:\($0)" }
        if data.plan.arms == nil { names.append("expected:\(data.plan.treatment)") }
        for outcome in result.outcomes {
            names += data.plan.effects.map { "effect:\(outcome.name):\($0)" }
            names += data.plan.effects.map { "score:\(outcome.name):\($0)" }
        }
        var text = names.map(quoted).joined(separator: ",") + "\n"
        for row in 0..<data.count {
            var values = result.nuisances.outcome.map { $0[row] }
            values += result.nuisances.propensity.map { $0[row] }
            if data.plan.arms == nil { values.append(result.nuisances.treatment[row]) }
            for outcome in result.outcomes {
                values += outcome.effects.map { $0[row] }
                values += outcome.scores.scores.map { $0[row] }
            }
            text += values.map { "\($0)" }.joined(separator: ",") + "\n"
            if text.utf8.count > 1 << 20 || row == data.count - 1 {
                try file.append(text)
                text = ""
            }
        }
        try file.finish()
    }

    private static func quoted(_ name: String) -> String {
        name.contains { ",\"\n".contains($0) } ? "\"\(name.replacing("\"", with: "\"\""))\"" : name
    }
}
