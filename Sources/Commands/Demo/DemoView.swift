import Base
import Simulation
import Terminal

/// What the demo shows at one moment.
package struct DemoSnapshot: Sendable {
    package var elapsed = 0.0
    /// How long the demo is to run; nil until it is stopped.
    package var duration: Double?
    package var events = 0
    /// Over the last interval shown.
    package var eventsPerSecond = 0.0
    package var scoresPerSecond = 0.0
    package var lag = 0
    /// Milliseconds from a record's timestamp to its score's hand-over; nil before the first.
    package var median: Double?
    package var p99: Double?
    package var deadLetters = 0
    package var duplicates = 0
    package var late = 0
    package var users = 0
    package var board: DemoScoreboard

    package init(board: DemoScoreboard) { self.board = board }
}

/// Draws a snapshot: a block for a terminal, one line for a file.
package struct DemoView: Sendable {
    /// What people call the classes.
    private static func label(_ segment: Segment) -> String {
        switch segment {
        case .persuadable: "persuadables"
        case .sureThing: "sure things"
        case .lostCause: "lost causes"
        case .sleepingDog: "sleeping dogs"
        }
    }

    private let style: Style

    package init(style: Style) { self.style = style }

    package func lines(_ s: DemoSnapshot, width: Int) -> [String] {
        let time = HumanNumber.span(seconds: s.elapsed.rounded(.down))
        let of = s.duration.map { " of \(HumanNumber.span(seconds: $0))" } ?? ", Ctrl-C ends it"
        var lines = [
            style.bold("ImpactIQ demo") + style.dim("  \(time)\(of)"),
            "",
            field("events", HumanNumber.rate(s.eventsPerSecond)) + field("total", HumanNumber.grouped(s.events))
                + field("lag", HumanNumber.grouped(s.lag)) + field("users", HumanNumber.grouped(s.users)),
            field("scores", HumanNumber.rate(s.scoresPerSecond)) + field("total", HumanNumber.grouped(s.board.scores))
                + field("p50", s.median.map { HumanNumber.latency(milliseconds: $0) } ?? "–")
                + field("p99", s.p99.map { HumanNumber.latency(milliseconds: $0) } ?? "–"),
            style.dim(
                "dead letters \(HumanNumber.grouped(s.deadLetters)), duplicates \(HumanNumber.grouped(s.duplicates)), "
                    + "late \(HumanNumber.grouped(s.late))"),
            "",
        ]
        let table = segmentTable(s.board).lines(width: width)
        lines.append(style.bold(table.first ?? ""))
        lines += table.dropFirst()
        return lines
    }

    /// The last word: the same table without styles, and how to read it.
    package func summary(_ s: DemoSnapshot) -> String {
        let applied = s.events - s.duplicates - s.deadLetters
        return segmentTable(s.board).text()
            + """

            \(HumanNumber.grouped(s.events)) messages = \(HumanNumber.grouped(applied)) events + \
            \(HumanNumber.grouped(s.duplicates)) duplicates + \(HumanNumber.grouped(s.deadLetters)) dead letters; \
            \(HumanNumber.grouped(s.board.total)) scores read back, latency \
            p50 \(s.median.map { HumanNumber.latency(milliseconds: $0) } ?? "–"), \
            p99 \(s.p99.map { HumanNumber.latency(milliseconds: $0) } ?? "–")

            truth      mean true effect of the ad on the people scored, known because the trial is simulated
            uplift     mean of the published uplift; ± is the mean half width of its 95 % interval
            in 95 %    share of the scores whose interval holds the person's true effect
            unsure     decision 'uncertain': zero lies inside the interval

            """
    }

    /// One line for a log.
    package func plain(_ s: DemoSnapshot) -> String {
        let segments = s.board.rows.filter { $0.scores > 0 }.map { row in
            let n = Double(row.scores)
            return "\(row.segment.name) \(signed(row.truth / n))/\(signed(row.estimate / n))"
        }
        return "\(HumanNumber.span(seconds: s.elapsed)): \(HumanNumber.rate(s.eventsPerSecond)) events, "
            + "\(HumanNumber.rate(s.scoresPerSecond)) scores, lag \(HumanNumber.grouped(s.lag)), "
            + "p99 \(s.p99.map { HumanNumber.latency(milliseconds: $0) } ?? "–")"
            + (segments.isEmpty ? "" : "; truth/uplift: \(segments.joined(separator: ", "))")
    }

    package func segmentTable(_ board: DemoScoreboard) -> Table {
        var table = Table(
            .text("who"), .number("scores"), .number("truth"), .number("uplift"), .number("±"), .number("in 95 %"),
            .number("treat"), .number("suppress"), .number("unsure"))
        for row in board.rows {
            let n = Double(max(row.scores, 1))
            let share = { (count: Int) in
                row.scores > 0 ? "\(Int(saturating: (100 * Double(count) / n).rounded())) %" : "–"
            }
            table.add(
                Self.label(row.segment), HumanNumber.short(Double(row.scores)),
                row.scores > 0 ? signed(row.truth / n) : "–",
                row.scores > 0 ? signed(row.estimate / n) : "–",
                row.scores > 0 ? HumanNumber.decimals(1.959964 * row.standardError / n, 3) : "–", share(row.covered),
                share(row.treat), share(row.suppress), share(row.uncertain))
        }
        return table
    }

    private func field(_ name: String, _ value: String) -> String {
        "\(name) ".padding(to: 7) + style.bold(value).padding(to: 13)
    }

    private func signed(_ value: Double) -> String {
        (value >= 0 ? "+" : "") + HumanNumber.decimals(value, 3)
    }
}
