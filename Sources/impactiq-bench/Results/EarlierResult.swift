import Base
import Foundation
import Terminal

/// A result file of an earlier run (`--json`), to say which rows changed beyond noise.
struct EarlierResult {
    private struct File: Decodable {
        struct Row: Decodable {
            var row: String
            var ratio: Double
            var ratio_least: Double
            var ratio_greatest: Double
        }
        var benchmark: String
        var rows: [Row]
    }

    let path: String
    private let file: File

    /// - Throws: `earlier_result` for a file that is none.
    init(path: String, benchmark: String) throws(ImpactError) {
        self.path = path
        let read: File
        do {
            read = try JSONDecoder().decode(File.self, from: try Data(contentsOf: URL(fileURLWithPath: path)))
        } catch {
            throw ImpactError(.badInput, code: "earlier_result", "\(path) is not a result of --json: \(error)")
        }
        guard read.benchmark == benchmark else {
            throw ImpactError(
                .badInput, code: "earlier_result", "\(path) is a result of '\(read.benchmark)', not of '\(benchmark)'")
        }
        file = read
    }

    /// A row has changed when no ratio of one run lies within the range of the other's: what a row varies by within a run
    /// is noise.
    func verdict(on row: Measurement) -> String {
        guard let before = file.rows.first(where: { $0.row == row.name }) else { return "new" }
        let change = HumanNumber.decimals((row.ratio / before.ratio - 1) * 100, 0) + " %"
        if row.least > before.ratio_greatest { return "more, +\(change)" }
        if row.greatest < before.ratio_least { return "less, \(change)" }
        return "within noise"
    }
}
