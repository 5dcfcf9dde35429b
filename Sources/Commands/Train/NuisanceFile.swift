import Base
import Foundation
import Rows
import Training

/// `--save-nuisances`: what the forest was grown on, one line per row used, in the order of the file: the row's number in the file
/// from 0, its nuisances, and what models that have not seen it say.
enum NuisanceFile {
    static func write(_ path: String, rows: String, _ data: TrainingData, _ result: TrainingResult) throws {
        // Which rows were used is found out again: training needs no numbers of rows.
        let reader = try RowReader(path: rows, fields: data.plan.fields.dropLast(data.plan.features.count))
        reader.keepsNumbers = true
        var numbers: [Int] = []
        while try reader.next(65_536) { numbers += reader.numbers }
        guard numbers.count == data.count else {
            throw ImpactError(.badInput, code: "rows_changed", "\(rows) changed while it was read")
        }
        let file = try OutputFile(path)
        var names = ["row"]
        names += data.plan.outcomes.map { "expected:\($0)" }
        names += (data.plan.arms ?? []).map { "propensity:\($0)" }
        if data.plan.arms == nil { names.append("expected:\(data.plan.treatment)") }
        for outcome in result.outcomes {
            names += data.plan.effects.map { "effect:\(outcome.name):\($0)" }
            names += data.plan.effects.map { "score:\(outcome.name):\($0)" }
        }
        var text = names.map(quoted).joined(separator: ",") + "\n"
        for row in 0..<data.count {
            /// With what was taken from the column before it was rounded.
            func whole(_ value: Float, _ column: String) -> String {
                let origin = data.plan.origins[column] ?? 0
                return origin == 0 ? "\(value)" : "\(Double(value) + origin)"
            }
            var texts = ["\(numbers[row])"]
            texts += zip(result.nuisances.outcome, data.plan.outcomes).map { whole($0[row], $1) }
            texts += result.nuisances.propensity.map { "\($0[row])" }
            if data.plan.arms == nil { texts.append(whole(result.nuisances.treatment[row], data.plan.treatment)) }
            var values: [Float] = []
            for outcome in result.outcomes {
                values += outcome.effects.map { $0[row] }
                values += outcome.scores.scores.map { $0[row] }
            }
            text += (texts + values.map { "\($0)" }).joined(separator: ",") + "\n"
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
