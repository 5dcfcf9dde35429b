import Base
import Foundation
import Terminal
import TestSupport

/// `kill-points`: each step × each seed, resumable, with a table at the end.
struct KillPointSweep {
    private let site: TestSite
    private let seeds: ClosedRange<UInt64>
    private let points: [KillPoint]
    private let messages: Int
    private let width: Int
    private let path: String?

    init(_ command: ParsedCommand, _ site: TestSite) throws {
        self.site = site
        let first = try command.seed("first-seed") ?? 1
        let count = try command.count("seeds") ?? 20
        guard count > 0 else { throw command.invalid("seeds", "must be 1 or more") }
        seeds = first...(first + UInt64(count) - 1)
        points = try command.texts("step").map { name in
            guard let point = KillPoint(rawValue: name) else {
                throw command.invalid("step", "no such step; there are \(KillPoint.allCases.map(\.rawValue))")
            }
            return point
        }
        messages = try command.count("messages") ?? 1_200
        width = try command.count("width") ?? 3
        path = command.text("results")
    }

    func run() throws -> Bool {
        var results = try ResultFile(path)
        let wanted = points.isEmpty ? KillPoint.allCases : points
        let progress = ProgressLine("kill-points", total: seeds.count, unit: "seeds")
        for (done, seed) in seeds.enumerated() {
            let prefix = "kp\(seed)-\(ProcessInfo.processInfo.processIdentifier)"
            let due = wanted.filter { !results.holds("\(seed)/\($0.rawValue)/sqlite") }
            if due.isEmpty { continue }
            let run = try KillPointRun(
                site, prefix: prefix, seed: seed, messages: messages, postgres: TestPostgres.shared)
            let cases = due.flatMap { point in run.logStores(of: point).map { (point, $0) } }
            var outcomes = inParallel(cases, width: width) { run.run($0.0, logStore: $0.1) }
            let moves = due.filter { [.beforeRevokeCommit, .afterRevokeCommit, .afterDrop].contains($0) }
            outcomes += inParallel(moves, width: width) { run.runRebalance($0) }
            for outcome in outcomes {
                try results.append(
                    "\(seed)/\(outcome.point.rawValue)/\(outcome.logStore)", problems: outcome.problems,
                    [
                        (name: "kills", value: .integer(outcome.kills)),
                        (name: "seconds", value: .number(outcome.seconds)),
                    ])
                for problem in outcome.problems {
                    Terminal.Stream.error.write(
                        "seed \(seed) \(outcome.point.rawValue) \(outcome.logStore): \(problem)\n")
                }
            }
            run.delete()
            progress.update(done + 1)
            if StopSignal.isRaised { break }
        }
        return report(results)
    }

    private func report(_ results: ResultFile) -> Bool {
        var table = Table(
            .text("step"), .number("cases"), .number("kills"), .number("failed"), .number("mean s"))
        var total = (cases: 0, kills: 0, failed: 0)
        for point in KillPoint.allCases {
            let entries = results.entries.filter {
                $0.key.split(separator: "/").dropFirst().first == point.rawValue[...]
            }
            if entries.isEmpty { continue }
            let kills = Int(entries.reduce(0) { $0 + ($1.members["kills"] ?? 0) })
            let failed = entries.count { !$0.isGood }
            let seconds = entries.reduce(0) { $0 + ($1.members["seconds"] ?? 0) } / Double(entries.count)
            table.add(
                point.rawValue, "\(entries.count)", "\(kills)", "\(failed)", String(format: "%.1f", seconds))
            total = (total.cases + entries.count, total.kills + kills, total.failed + failed)
        }
        table.add("all", "\(total.cases)", "\(total.kills)", "\(total.failed)")
        Terminal.Stream.output.write(table.text())
        return total.failed == 0 && total.cases > 0
    }
}
