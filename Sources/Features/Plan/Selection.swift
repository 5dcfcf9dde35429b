import Base
import Events

/// A test of one field: equality with a constant.
struct FieldTest: BitwiseCopyable, Hashable, Sendable {
    /// Index in the schema's fields.
    let field: Int
    let kind: FieldValue.Kind
    let payload: UInt64

    init(field: Int, equals constant: FeatureSpecification.Constant) {
        self.field = field
        let value: FieldValue =
            switch constant {
            case .text(let text): FieldValue(textHash: StableHash.hash(text))
            // Adding zero turns −0 into 0, so that equal numbers have equal bits.
            case .number(let number): FieldValue(number + 0)
            case .bool(let truth): FieldValue(truth)
            }
        kind = value.kind
        payload = value.payload
    }

    @inline(__always)
    func passes(_ value: FieldValue) -> Bool {
        guard value.kind == kind else { return false }
        if kind == .number { return Double(bitPattern: value.payload) == Double(bitPattern: payload) }
        return value.payload == payload
    }
}

/// What an event brings to an aggregate: a number, or nothing. Features that select the same share one evaluation.
struct Selection: BitwiseCopyable, Hashable, Sendable {
    /// How the number follows from the event.
    enum Reading: BitwiseCopyable, Hashable, Sendable {
        /// 1 for every event.
        case one
        /// 1 when the field is there.
        case present(field: Int)
        /// 1 when the field equals the constant, else nothing.
        case matching(FieldTest)
        /// The field's number.
        case number(field: Int)
        /// 1 when the field equals the constant, 0 when it is something else, nothing when it is missing.
        case indicator(FieldTest)
    }

    let reading: Reading
    let condition: EventCondition?

    /// The number, or NaN for nothing. `fields` has every index of the schema the plan was compiled against.
    @inline(__always)
    func read(_ fields: UnsafePointer<FieldValue>) -> Double {
        if let condition, !condition.passes(fields) { return .nan }
        switch reading {
        case .one:
            return 1
        case .present(let field):
            return fields[field].kind == .missing ? .nan : 1
        case .matching(let test):
            return test.passes(fields[test.field]) ? 1 : .nan
        case .number(let field):
            let number = fields[field].number
            return number.isFinite ? number : .nan
        case .indicator(let test):
            let value = fields[test.field]
            return value.kind == .missing ? .nan : test.passes(value) ? 1 : 0
        }
    }
}
