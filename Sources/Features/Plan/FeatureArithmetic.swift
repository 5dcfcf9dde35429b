/// Features that follow from other features of the row: sums, differences, products, ratios, scales, comparisons.
///
/// Computed after everything else, in the order of the specification, in double precision, each result one float32. A
/// missing operand makes a missing result; `default` then stands for it.
public final class FeatureArithmetic: Sendable {
    struct Operand: BitwiseCopyable, Sendable {
        /// The feature; −1: a constant.
        let feature: Int32
        let value: Double
    }

    struct Operation: BitwiseCopyable, Sendable {
        enum Kind: UInt8, BitwiseCopyable, Sendable {
            case add, subtract, multiply, divide, average, scale, clip, choose
            case above, atLeast, below, atMost, equal
        }
        let kind: Kind
        let feature: UInt16
        let first: UInt32
        let count: UInt32
        let low: Double
        let high: Double
        let missing: Float
    }

    /// A feature of the aggregate `ratio`, as a row's reader computes it: in float32.
    struct Ratio: BitwiseCopyable, Sendable {
        let feature: Int32
        let numerator: Int32
        let denominator: Int32
        let missing: Float
    }

    let operations: PlainArray<Operation>
    let operands: PlainArray<Operand>
    private let ratios: [Ratio]

    public init(_ specification: FeatureSpecification) {
        let places = Dictionary(uniqueKeysWithValues: specification.names.enumerated().map { ($1, Int32($0)) })
        var (operations, operands): ([Operation], [Operand]) = ([], [])
        for (index, feature) in specification.features.enumerated() {
            guard feature.aggregate.isArithmetic, let list = feature.operands else { continue }
            let first = operands.count
            for operand in list {
                switch operand {
                case .feature(let name): operands.append(Operand(feature: places[name] ?? 0, value: 0))
                case .number(let number): operands.append(Operand(feature: -1, value: number))
                }
            }
            operations.append(
                Operation(
                    kind: Self.kind(feature), feature: UInt16(index), first: UInt32(first), count: UInt32(list.count),
                    low: feature.low ?? -.infinity, high: feature.high ?? .infinity,
                    missing: feature.defaultValue.map { Float($0) } ?? .nan))
        }
        self.operations = PlainArray(operations)
        self.operands = PlainArray(operands)
        ratios = specification.features.enumerated().compactMap { index, feature in
            guard feature.aggregate == .ratio, let numerator = feature.numerator.flatMap({ places[$0] }),
                let denominator = feature.denominator.flatMap({ places[$0] })
            else { return nil }
            return Ratio(
                feature: Int32(index), numerator: numerator, denominator: denominator,
                missing: feature.defaultValue.map { Float($0) } ?? .nan)
        }
    }

    private static func kind(_ feature: FeatureSpecification.Feature) -> Operation.Kind {
        switch feature.aggregate {
        case .subtract: return .subtract
        case .multiply: return .multiply
        case .divide: return .divide
        case .average: return .average
        case .scale: return .scale
        case .clip: return .clip
        case .choose: return .choose
        case .compare:
            switch feature.comparison ?? .equal {
            case .above: return .above
            case .atLeast: return .atLeast
            case .below: return .below
            case .atMost: return .atMost
            case .equal: return .equal
            }
        default: return .add
        }
    }

    /// The names of the features that follow from others; a table that holds the others can leave them out.
    public static func names(_ specification: FeatureSpecification) -> [String] {
        specification.features.filter { $0.aggregate.isArithmetic || $0.aggregate == .ratio }.map(\.name)
    }

    /// Writes the ratios and the arithmetic features of a row whose other features are there, but for those that were given
    /// themselves.
    public func apply(_ row: UnsafeMutablePointer<Float>, isGiven: (Int) -> Bool) {
        for ratio in ratios where !isGiven(Int(ratio.feature)) {
            let denominator = row[Int(ratio.denominator)]
            let result = denominator == 0 ? .nan : row[Int(ratio.numerator)] / denominator
            row[Int(ratio.feature)] = result.isNaN ? ratio.missing : result
        }
        for operation in operations.view where !isGiven(Int(operation.feature)) {
            Self.apply(operation, operands.base, row)
        }
    }

    /// The places of the features that follow from others.
    public var places: [Int] { ratios.map { Int($0.feature) } + operations.view.map { Int($0.feature) } }

    @inline(never)
    static func apply(
        _ operations: UnsafeBufferPointer<Operation>, _ operands: UnsafePointer<Operand>,
        _ row: UnsafeMutablePointer<Float>
    ) {
        for operation in operations { apply(operation, operands, row) }
    }

    @inline(__always)
    private static func apply(
        _ operation: Operation, _ operands: UnsafePointer<Operand>, _ row: UnsafeMutablePointer<Float>
    ) {
        let result = Float(value(operation, operands + Int(operation.first), row))
        row[Int(operation.feature)] = result.isNaN ? operation.missing : result
    }

    @inline(__always)
    private static func value(
        _ operation: Operation, _ own: UnsafePointer<Operand>, _ row: UnsafeMutablePointer<Float>
    ) -> Double {
        func operand(_ index: Int) -> Double {
            own[index].feature < 0 ? own[index].value : Double(row[Int(own[index].feature)])
        }
        let count = Int(operation.count)
        switch operation.kind {
        case .add, .average:
            var sum = operand(0)
            for index in 1..<count { sum += operand(index) }
            return operation.kind == .add ? sum : sum / Double(count)
        case .multiply:
            var product = operand(0)
            for index in 1..<count { product *= operand(index) }
            return product
        case .subtract: return operand(0) - operand(1)
        case .divide: return operand(1) == 0 ? .nan : operand(0) / operand(1)
        case .scale:
            let x = (operand(0) - operation.low) / (operation.high - operation.low)
            return x < 0 ? 0 : x > 1 ? 1 : x
        case .clip:
            let x = operand(0)
            return x < operation.low ? operation.low : x > operation.high ? operation.high : x
        case .choose:
            // The number of the first that holds; one more than the last when none does.
            for index in 0..<count where operand(index) == 1 { return Double(index) }
            return Double(count)
        case .above, .atLeast, .below, .atMost, .equal:
            let (a, b) = (operand(0), operand(1))
            if a.isNaN || b.isNaN { return .nan }
            let holds =
                switch operation.kind {
                case .above: a > b
                case .atLeast: a >= b
                case .below: a < b
                case .atMost: a <= b
                default: a == b
                }
            return holds ? 1 : 0
        }
    }
}
