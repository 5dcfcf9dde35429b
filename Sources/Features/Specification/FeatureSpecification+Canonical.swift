import Base
import Events
import JSON

extension FeatureSpecification {
    /// The specification with every default written out, as canonical JSON: equal specifications have equal bytes,
    /// and reading them gives the specification again.
    public var canonicalJSON: [UInt8] { document.canonicalBytes }

    /// SHA-256 of ``canonicalJSON``, in hexadecimal.
    public var sha256: String { SHA256.hex(SHA256.digest(canonicalJSON)) }

    /// The specification as a JSON document, every default written out.
    public var document: JSONValue {
        .object([
            .init("features", .array(features.map(\.document))),
            .init("deduplication", .object([.init("ids", .number(Double(deduplicationIDs)))])),
        ])
    }
}

extension FeatureSpecification.Feature {
    var document: JSONValue {
        var members: [JSONValue.Member] = [
            .init("name", .string(name)), .init("aggregate", .string(aggregate.rawValue)),
        ]
        func add(_ key: String, _ value: JSONValue?) {
            if let value { members.append(.init(key, value)) }
        }
        add("events", events.map { .array($0.map { .string($0) }) })
        add("field", field.map { .string($0) })
        add("equals", equals?.document)
        add(
            "where",
            condition.map(\.document))
        add("window", isLifetime ? .string("lifetime") : window.map { .string($0.description) })
        add("bucket", bucket.map { .string($0.description) })
        add("half_life", halfLife.map { .string($0.description) })
        add("capacity", capacity.map { .number(Double($0)) })
        add("numerator", numerator.map { .string($0) })
        add("denominator", denominator.map { .string($0) })
        add(
            "of",
            operands.map { operands in
                .array(
                    operands.map { operand in
                        switch operand {
                        case .feature(let name): .string(name)
                        case .number(let number): .number(number)
                        }
                    })
            })
        let ends = aggregate == .scale ? ("from", "to") : ("least", "most")
        add(ends.0, low.map { .number($0) })
        add(ends.1, high.map { .number($0) })
        add("is", comparison.map { .string($0.rawValue) })
        add("default", defaultValue.map { .number($0) })
        return .object(members)
    }
}

extension FeatureSpecification.Condition {
    var document: JSONValue {
        func test(_ test: FeatureSpecification.Test) -> JSONValue {
            .object([.init("field", .string(test.field)), .init("equals", test.equals.document)])
        }
        func group(_ tests: [FeatureSpecification.Test]) -> JSONValue {
            tests.count == 1 ? test(tests[0]) : .object([.init("or", .array(tests.map(test)))])
        }
        return groups.count == 1 ? group(groups[0]) : .object([.init("and", .array(groups.map(group)))])
    }
}

extension FeatureSpecification.Constant {
    var document: JSONValue {
        switch self {
        case .text(let text): .string(text)
        case .number(let number): .number(number)
        case .bool(let truth): .bool(truth)
        }
    }
}
