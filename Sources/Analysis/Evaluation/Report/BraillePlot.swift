import Base

/// A line plot in Braille characters, two by four dots each.
struct BraillePlot {
    enum Line { case solid, dotted }

    private let columns: Int
    private let rows: Int
    private let x: ClosedRange<Double>
    private let y: ClosedRange<Double>
    private var dots: [UInt8]

    /// - Parameters:
    ///   - columns, rows: the size in characters.
    ///   - x, y: what the plot's edges stand for.
    init(columns: Int, rows: Int, x: ClosedRange<Double>, y: ClosedRange<Double>) {
        self.columns = max(2, columns)
        self.rows = max(2, rows)
        self.x = x
        self.y = y
        dots = [UInt8](repeating: 0, count: self.columns * self.rows)
    }

    /// Draws a curve, straight between its points; what lies outside the edges is left out.
    mutating func draw(_ curve: Curve, _ line: Line = .solid) {
        let width = columns * 2
        var last: Int?
        for column in 0..<width {
            let at = x.lowerBound + (x.upperBound - x.lowerBound) * Double(column) / Double(width - 1)
            let dot = height(curve.height(at: at))
            if line == .solid {
                // Steep parts stay connected.
                for step in min(last ?? dot, dot)...max(last ?? dot, dot) { set(column, step) }
            } else if column % 3 == 0 {
                set(column, dot)
            }
            last = dot
        }
    }

    private func height(_ value: Double) -> Int {
        let span = y.upperBound - y.lowerBound
        guard span > 0, value.isFinite else { return 0 }
        let clamped = min(max((value - y.lowerBound) / span, -1), 2)
        return Int(saturating: ((1 - clamped) * Double(rows * 4 - 1)).rounded())
    }

    private mutating func set(_ column: Int, _ row: Int) {
        guard row >= 0 && row < rows * 4 else { return }
        // Bits of the Braille block (Unicode 2800): dots 1 to 8 down the left, then the right column.
        let bits: [[UInt8]] = [[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]]
        dots[row / 4 * columns + column / 2] |= bits[row % 4][column % 2]
    }

    /// The plot's lines, without axes.
    var lines: [String] {
        (0..<rows).map { row in
            String(
                String.UnicodeScalarView(
                    (0..<columns).compactMap { Unicode.Scalar(0x2800 + UInt32(dots[row * columns + $0])) }))
        }
    }
}
