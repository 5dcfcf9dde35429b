/// One nuisance of each row, in no more memory than it needs.
package enum NuisanceColumn: Sendable {
    case constant(Float)
    /// One number a fold: the mean of the other folds.
    case byFold([Float], Folds)
    case values([Float])
    /// 1 less these: the chance of the other of two arms.
    case rest([Float])

    @inline(__always)
    package subscript(_ row: Int) -> Float {
        switch self {
        case .constant(let value): value
        case .byFold(let means, let folds): means[Int(folds.fold[row])]
        case .values(let values): values[row]
        case .rest(let values): 1 - values[row]
        }
    }

    /// 1 less each value.
    var rest: NuisanceColumn {
        switch self {
        case .constant(let value): .constant(1 - value)
        case .byFold(let means, let folds): .byFold(means.map { 1 - $0 }, folds)
        case .values(let values): .rest(values)
        case .rest(let values): .values(values)
        }
    }

    /// Each value changed.
    mutating func change(_ row: (Int, Float) -> Float) {
        switch self {
        case .constant, .byFold, .rest: return
        case .values(var values):
            self = .constant(0)  // so that the array has one owner
            for index in values.indices { values[index] = row(index, values[index]) }
            self = .values(values)
        }
    }
}
