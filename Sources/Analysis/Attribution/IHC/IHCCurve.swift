import Base
import JSON

/// A curve over hours: straight lines between knots, flat outside them.
package struct IHCCurve: Sendable, Equatable {
    /// Ascending.
    package let hours: [Double]
    package let values: [Double]

    package init(hours: [Double], values: [Double]) {
        self.hours = hours
        self.values = values
    }

    package func at(_ hour: Double) -> Double {
        guard let first = hours.first, hour > first else { return values.first ?? 0 }
        var low = 0
        var high = hours.count - 1
        if hour >= hours[high] { return values[high] }
        while high - low > 1 {
            let middle = (low + high) / 2
            if hours[middle] <= hour { low = middle } else { high = middle }
        }
        let share = (hour - hours[low]) / (hours[high] - hours[low])
        return values[low] + share * (values[high] - values[low])
    }

    /// The best curve that only rises (or only falls) through points, in least squares (pool adjacent violators; Barlow,
    /// Bartholomew, Bremner and Brunk 1972).
    package static func isotonic(_ points: [(hours: Double, value: Double)], rising: Bool) -> IHCCurve {
        let sorted = points.sorted { ($0.hours, $0.value) < ($1.hours, $1.value) }
        var blocks: [(first: Double, last: Double, sum: Double, count: Double)] = []
        for point in sorted {
            let value = rising ? point.value : -point.value
            blocks.append((point.hours, point.hours, value, 1))
            while blocks.count > 1 {
                let (b, a) = (blocks[blocks.count - 1], blocks[blocks.count - 2])
                // Points at one place have one value.
                guard a.sum / a.count > b.sum / b.count || a.last == b.first else { break }
                blocks.removeLast(2)
                blocks.append((a.first, b.last, a.sum + b.sum, a.count + b.count))
            }
        }
        var hours: [Double] = []
        var values: [Double] = []
        for block in blocks {
            let value = (rising ? 1 : -1) * block.sum / block.count
            // A block of violators stands for its middle: its ends would make steps of what is noise.
            let isFlat = value == 0 || value == 1
            for hour in isFlat && block.last > block.first
                ? [block.first, block.last] : [(block.first + block.last) / 2]
            {
                hours.append(hour)
                values.append(value)
            }
        }
        return IHCCurve(hours: hours, values: values)
    }
}
