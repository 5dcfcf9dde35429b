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

        package var credit: Double { Credit.value(creditUnits) }
        package var revenue: Double { Credit.value(revenueUnits) / 1e6 }
        /// Cost per order; nil where no order is credited.
        package var cpo: Double? { creditUnits > 0 ? cost.amount / credit : nil }
        /// Return on ad spend; nil without spend: organic and direct channels have none.
        package var roas: Double? { cost.micros > 0 ? revenue / cost.amount : nil }
    }

    private struct Key: Hashable {
        var channel: Int32
        var day: Int32
    }
    private struct Sums {
        var cost: Int64 = 0
        var credit: Int128 = 0
        var revenue: Int128 = 0
    }

    private var sums: [Key: Sums] = [:]
    package private(set) var channels: ChannelTable

    package init(channels: ChannelTable = ChannelTable()) { self.channels = channels }

    /// Adds a session's share of a conversion.
    package mutating func add(channel: String, day: Int32, units: Int64, revenue: Money) {
        let key = Key(channel: channels.number(of: channel), day: day)
        sums[key, default: Sums()].credit += Int128(units)
        sums[key, default: Sums()].revenue += Int128(units) * Int128(revenue.micros)
    }

    /// Adds credit and revenue that were summed before.
    package mutating func add(channel: String, day: Int32, storedCredit: Double, storedRevenue: Double) {
        let key = Key(channel: channels.number(of: channel), day: day)
        sums[key, default: Sums()].credit += Int128((storedCredit * 0x1p40).rounded())
        sums[key, default: Sums()].revenue += Int128((storedRevenue * 1e6 * 0x1p40).rounded())
    }

    /// Adds what a channel cost on a day.
    package mutating func add(channel: String, day: Int32, cost: Money) {
        sums[Key(channel: channels.number(of: channel), day: day), default: Sums()].cost &+= cost.micros
    }

    /// A line a channel and day, by channel name and day.
    package var lines: [Line] {
        sums.map { key, sums in
            Line(
                channel: channels[key.channel], day: key.day, cost: Money(micros: sums.cost), creditUnits: sums.credit,
                revenueUnits: sums.revenue)
        }.sorted { ($0.channel, $0.day ?? 0) < ($1.channel, $1.day ?? 0) }
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
    package var total: Line {
        var all: Line?
        for line in lines { Self.add(line, to: &all, day: nil, channel: "") }
        return all ?? Line(channel: "", day: nil, cost: .zero, creditUnits: 0, revenueUnits: 0)
    }

    private static func add(_ line: Line, to sum: inout Line?, day: Int32?, channel: String) {
        var next = sum ?? Line(channel: channel, day: day, cost: .zero, creditUnits: 0, revenueUnits: 0)
        next.cost += line.cost
        next.creditUnits += line.creditUnits
        next.revenueUnits += line.revenueUnits
        sum = next
    }
}
