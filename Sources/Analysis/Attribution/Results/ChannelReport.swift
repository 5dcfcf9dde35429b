import Base

/// The channel report: cost, credit and revenue by channel and day, with cost per order and return on ad spend.
///
/// All sums are exact, so they do not depend on the order in which they were made.
package struct ChannelReport: Sendable {
    /// One line of `channel_reporting`.
    package struct Line: Sendable, Equatable {
        package var channel: String
        /// Days since 1970; nil in a line over all days.
        package var day: Int32?
        package var cost: Money
        package var creditUnits: Int128
        package var revenueUnits: Int128
        /// How many shares and costs were summed: a line without any is none.
        package var creditRows = 0
        package var costRows = 0
        /// Sessions with a causal effect, the sum of their effects and of the effects' standard errors, in units of
        /// ``Credit``: the errors of one model's scores are taken as wholly dependent, which is the widest interval.
        package var scored = 0
        package var upliftUnits: Int128 = 0
        package var upliftErrorUnits: Int128 = 0
        /// Whether the report knows any spend: an order does not cost nothing because nobody says what it cost.
        package var isCostKnown = true

        package init(channel: String, day: Int32?) {
            self.channel = channel
            self.day = day
            cost = .zero
            creditUnits = 0
            revenueUnits = 0
        }

        package var isEmpty: Bool { creditRows == 0 && costRows == 0 && scored == 0 }
        /// Conversions that would not have happened without the sessions, whether these converted or not.
        package var incremental: Double { Credit.value(upliftUnits) }
        package var incrementalError: Double { Credit.value(upliftErrorUnits) }

        package static func += (a: inout Line, b: Line) {
            a.cost += b.cost
            a.creditUnits += b.creditUnits
            a.revenueUnits += b.revenueUnits
            a.creditRows += b.creditRows
            a.costRows += b.costRows
            a.scored += b.scored
            a.upliftUnits += b.upliftUnits
            a.upliftErrorUnits += b.upliftErrorUnits
        }

        package static prefix func - (a: Line) -> Line {
            var line = Line(channel: a.channel, day: a.day)
            line.cost = .zero - a.cost
            line.creditUnits = -a.creditUnits
            line.revenueUnits = -a.revenueUnits
            line.creditRows = -a.creditRows
            line.costRows = -a.costRows
            line.scored = -a.scored
            line.upliftUnits = -a.upliftUnits
            line.upliftErrorUnits = -a.upliftErrorUnits
            return line
        }

        package var credit: Double { Credit.value(creditUnits) }
        package var revenue: Double { Credit.value(revenueUnits) / 1e6 }
        /// Cost per order; nil where no order is credited, and where no spend is known at all.
        package var cpo: Double? { creditUnits > 0 && isCostKnown ? cost.amount / credit : nil }
        /// Return on ad spend; nil without spend: organic and direct channels have none.
        package var roas: Double? { cost.micros > 0 ? revenue / cost.amount : nil }
    }

    private struct Key: Hashable {
        var channel: Int32
        var day: Int32
    }
    private var sums: [Key: Line] = [:]
    package private(set) var channels: ChannelTable

    package init(channels: ChannelTable = ChannelTable()) { self.channels = channels }

    private mutating func change(_ channel: String, _ day: Int32, _ body: (inout Line) -> Void) {
        let key = Key(channel: channels.number(of: channel), day: day)
        body(&sums[key, default: Line(channel: channel, day: day)])
    }

    /// Adds a session's share of a conversion.
    package mutating func add(channel: String, day: Int32, units: Int64, revenue: Money) {
        change(channel, day) {
            $0.creditUnits += Int128(units)
            $0.revenueUnits += Int128(units) * Int128(revenue.micros)
            $0.creditRows += 1
        }
    }

    /// Adds credit and revenue that were summed before.
    package mutating func add(channel: String, day: Int32, storedCredit: Double, storedRevenue: Double) {
        change(channel, day) {
            $0.creditUnits += Int128((storedCredit * 0x1p40).rounded())
            $0.revenueUnits += Int128((storedRevenue * 1e6 * 0x1p40).rounded())
            $0.creditRows += 1
        }
    }

    /// Adds what a channel cost on a day.
    package mutating func add(channel: String, day: Int32, cost: Money) {
        change(channel, day) {
            $0.cost += cost
            $0.costRows += 1
        }
    }

    /// Adds the causal effect of a session, where it has one.
    package mutating func add(channel: String, day: Int32, uplift: Float, error: Float) {
        guard uplift.isFinite else { return }
        change(channel, day) {
            $0.scored += 1
            $0.upliftUnits += Int128((Double(uplift) * 0x1p40).rounded())
            $0.upliftErrorUnits += Int128((error.isFinite ? Double(error) * 0x1p40 : 0).rounded())
        }
    }

    /// Adds incremental conversions that were summed before.
    package mutating func add(channel: String, day: Int32, scored: Int, incremental: Double, error: Double) {
        change(channel, day) {
            $0.scored += scored
            $0.upliftUnits += Int128((incremental * 0x1p40).rounded())
            $0.upliftErrorUnits += Int128((error * 0x1p40).rounded())
        }
    }

    /// Adds a line of another report.
    package mutating func add(_ line: Line) { change(line.channel, line.day ?? 0) { $0 += line } }

    /// A line a channel and day, by channel name and day.
    package var lines: [Line] {
        var lines = sums.values.sorted { ($0.channel, $0.day ?? 0) < ($1.channel, $1.day ?? 0) }
        let isKnown = lines.contains { $0.cost > .zero }
        for index in lines.indices { lines[index].isCostKnown = isKnown }
        return lines
    }

    /// A line a channel over all days: sums, so that its ratios are ratios of sums.
    package var totals: [Line] {
        var byChannel: [String: Line] = [:]
        for line in lines { Self.add(line, to: &byChannel[line.channel], day: nil, channel: line.channel) }
        return byChannel.values.sorted {
            $0.creditUnits != $1.creditUnits ? $0.creditUnits > $1.creditUnits : $0.channel < $1.channel
        }
    }

    /// A line a day over all channels.
    package var days: [Line] {
        var byDay: [Int32: Line] = [:]
        for line in lines { Self.add(line, to: &byDay[line.day ?? 0], day: line.day, channel: "") }
        return byDay.values.sorted { ($0.day ?? 0) < ($1.day ?? 0) }
    }

    /// Everything.
    package var total: Line { Self.sum(lines) }

    /// The channels with spend alone. Their cost over their credit, and their revenue over their cost, are what the spend
    /// brought; organic and direct orders would make any spend look good. Nil where there is none.
    package var paid: ChannelReport? {
        let spending = Set(totals.filter { $0.cost > .zero }.map(\.channel))
        guard !spending.isEmpty else { return nil }
        var report = ChannelReport()
        for line in lines where spending.contains(line.channel) { report.add(line) }
        return report
    }

    private static func sum(_ lines: [Line]) -> Line {
        var all: Line?
        for line in lines { add(line, to: &all, day: nil, channel: "") }
        return all ?? Line(channel: "", day: nil)
    }

    private static func add(_ line: Line, to sum: inout Line?, day: Int32?, channel: String) {
        var next = sum ?? Line(channel: channel, day: day)
        next += line
        next.isCostKnown = line.isCostKnown
        sum = next
    }
}
