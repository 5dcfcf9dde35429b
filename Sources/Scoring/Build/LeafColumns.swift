/// Which of a leaf's values are worth storing: leaves are half of a forest's memory traffic.
///
/// EconML's w·T·Tᵀ is symmetric and its last value is 1 with an intercept; grf's Z is W without an instrument. A value
/// that is the same in every leaf (zero or a power of two, so that a mean of it is exact) or equals another one bit for
/// bit in every leaf is not stored: a binary EconML forest keeps 4 of 6 doubles, a grf forest 4 of 7, 32 bytes per leaf.
package struct LeafColumns {
    /// Where a logical value comes from.
    package enum Source: Equatable {
        case stored(Int)
        case constant(Double)
    }

    private let count: Int
    /// For each column, an earlier one that it may equal.
    private let twin: [Int?]
    private var constant: [Bool]
    private var equalsTwin: [Bool]
    private var first: [Double]?

    package init(info: ForestInfo) {
        count = info.payloadColumns
        var twin = [Int?](repeating: nil, count: count)
        switch info.kind {
        case .econml:
            let p = info.parameters
            for row in 0..<p { for column in 0..<row { twin[p + row * p + column] = p + column * p + row } }
        case .grf:
            twin[2] = 1  // Z and W
            twin[5] = 4  // ZZ and WZ
        case .additive: break
        }
        self.twin = twin
        constant = .init(repeating: true, count: count)
        equalsTwin = twin.map { $0 != nil }
    }

    /// Takes note of one leaf that is not empty.
    package mutating func observe(_ leaf: UnsafeBufferPointer<Double>) {
        guard let first else {
            self.first = Array(leaf)
            for column in 0..<count {
                let value = leaf[column]
                constant[column] = value == 0 || value.significand == 1
                if let other = twin[column] { equalsTwin[column] = leaf[other].bitPattern == value.bitPattern }
            }
            return
        }
        for column in 0..<count {
            if constant[column], leaf[column].bitPattern != first[column].bitPattern { constant[column] = false }
            if equalsTwin[column], let other = twin[column], leaf[other].bitPattern != leaf[column].bitPattern {
                equalsTwin[column] = false
            }
        }
    }

    /// The source of each column. Column 0 is always stored: it is NaN in an empty leaf.
    package var sources: [Source] {
        var sources: [Source] = []
        var stored = 0
        for column in 0..<count {
            if column > 0, constant[column], let first {
                sources.append(.constant(first[column]))
            } else if equalsTwin[column], let other = twin[column] {
                sources.append(sources[other])
            } else {
                sources.append(.stored(stored))
                stored += 1
            }
        }
        return sources
    }
}
