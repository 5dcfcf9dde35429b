import Base
import Events
import JSON

/// An object of a specification while it is read: finds its keys and words its errors.
struct SpecificationObject {
    /// What errors begin with: the file, and the feature.
    let name: String
    private let members: [JSONValue.Member]

    /// For errors alone.
    init(name: String) {
        self.name = name
        members = []
    }

    init(_ value: JSONValue, name: String, keys: [String]) throws(ImpactError) {
        self.name = name
        guard let members = value.members else {
            throw ImpactError(
                .badInput, code: "wrong_type", "\(name) is \(value.kindName) and must be an object")
        }
        self.members = members
        for member in members where !keys.contains(member.name) {
            throw error(
                "unknown_key", member.name,
                "is not a key here" + suggestion(member.name, among: keys)
                    + "; allowed are \(FeatureSpecification.list(keys))")
        }
    }

    subscript(_ key: String) -> JSONValue? { members.first { $0.name == key }?.value }

    // MARK: Errors

    func error(_ code: String, _ key: String, _ reason: String) -> ImpactError {
        ImpactError(.badInput, code: code, "\(name): \(key): \(reason)")
    }

    func wrongType(_ key: String, _ wanted: String) -> ImpactError {
        error("wrong_type", key, "is \(self[key]?.kindName ?? "missing") and must be \(wanted)")
    }

    func suggestion(_ word: String, among known: [String]) -> String {
        NearestName.find(word, among: known).map { "; did you mean \"\($0)\"?" } ?? ""
    }

    /// Every needed key is there, and no key that the aggregate does not have.
    func check(aggregate: String, needed: [String], optional: [String]) throws(ImpactError) {
        for key in needed where self[key] == nil {
            throw error("missing_key", key, "is missing; \(aggregate) needs \(FeatureSpecification.list(needed))")
        }
        let allowed = needed + optional + ["name", "aggregate", "default"]
        for member in members where !allowed.contains(member.name) {
            throw error(
                "key_not_applicable", member.name,
                "means nothing for \(aggregate), which may have \(FeatureSpecification.list(needed + optional + ["default"]))"
            )
        }
    }

    // MARK: Values

    func required(_ key: String) throws(ImpactError) -> JSONValue {
        guard let value = self[key] else { throw error("missing_key", key, "is missing") }
        return value
    }

    func text(required key: String) throws(ImpactError) -> String {
        guard let text = try required(key).string else { throw wrongType(key, "a string") }
        return text
    }

    func optionalText(_ key: String) throws(ImpactError) -> String? {
        self[key] == nil ? nil : try text(required: key)
    }

    func number(_ key: String) throws(ImpactError) -> Double? {
        guard let value = self[key] else { return nil }
        guard let number = value.number else { throw wrongType(key, "a number") }
        guard Float(number).isFinite else {
            throw error("out_of_range", key, "\(number) is beyond what a float32 holds")
        }
        return number
    }

    func integer(_ key: String, in range: ClosedRange<Int>) throws(ImpactError) -> Int? {
        guard let value = self[key] else { return nil }
        guard let number = value.number else { throw wrongType(key, "a whole number") }
        guard let integer = Int(exactly: number), range.contains(integer) else {
            throw error(
                "out_of_range", key,
                "\(number) is not allowed; whole numbers from \(range.lowerBound) to \(range.upperBound) are")
        }
        return integer
    }

    /// A name that people and files can carry: 1 to 128 bytes, no control characters.
    func name(_ key: String) throws(ImpactError) -> String { try plain(key, try text(required: key)) }

    private func plain(_ key: String, _ text: String) throws(ImpactError) -> String {
        guard !text.isEmpty, text.utf8.count <= 128, !text.unicodeScalars.contains(where: { $0.value < 0x20 }) else {
            throw error(
                "invalid_name", key,
                "a name has 1 to 128 bytes and no control characters; this one has "
                    + "\(text.utf8.count) bytes")
        }
        return text
    }

    func events(_ key: String) throws(ImpactError) -> [String]? {
        guard let value = self[key] else { return nil }
        guard let list = value.array else { throw wrongType(key, "an array of event types") }
        guard !list.isEmpty else {
            throw error("out_of_range", key, "is empty, so that no event counts; leave it out to count every event")
        }
        var types: Set<String> = []
        for type in list {
            guard let text = type.string else { throw error("wrong_type", key, "holds \(type.kindName), not a string") }
            types.insert(try plain(key, text))
        }
        return types.sorted()
    }

    func field(_ key: String) throws(ImpactError) -> String? {
        guard let path = try optionalText(key) else { return nil }
        let fixed = ["value"] + FeatureSpecification.textFields
        if fixed.contains(path) { return path }
        if path.hasPrefix("properties."), path.utf8.count > 11 { return try plain(key, path) }
        let known = fixed.contains { $0 == path } ? "" : suggestion(path, among: fixed + ["properties.\(path)"])
        throw error(
            "unknown_field", key,
            "\"\(path)\" is not a field of an event; allowed are \(FeatureSpecification.list(fixed)) and properties.NAME"
                + known)
    }

    func constant(_ key: String) throws(ImpactError) -> FeatureSpecification.Constant? {
        guard let value = self[key] else { return nil }
        switch value {
        case .string(let text): return .text(text)
        case .number(let number):
            guard number.magnitude < 9_007_199_254_740_992 else {
                throw error(
                    "constant_inexact", key,
                    "is a number of 2⁵³ or more, which a double cannot tell from its neighbours: write it as a text; an "
                        + "integer that large in an event counts as its digits")
            }
            return .number(number)
        case .bool(let truth): return .bool(truth)
        case .null, .array, .object: throw wrongType(key, "a string, a number, true or false")
        }
    }

    func condition(_ key: String) throws(ImpactError) -> FeatureSpecification.Condition? {
        guard let value = self[key] else { return nil }
        let groups: [[FeatureSpecification.Test]]
        if let all = value["and"] {
            groups = try tests(all, value, key, "and").map { value throws(ImpactError) in
                guard let any = value["or"] else { return [try test(value, key)] }
                return try tests(any, value, key, "or").map { value throws(ImpactError) in try test(value, key) }
            }
        } else if let any = value["or"] {
            groups = [try tests(any, value, key, "or").map { value throws(ImpactError) in try test(value, key) }]
        } else {
            groups = [[try test(value, key)]]
        }
        let count = groups.reduce(0) { $0 + $1.count }
        guard count <= FeatureSpecification.Condition.mostTests else {
            throw error(
                "out_of_range", key,
                "holds \(count) tests; at most \(FeatureSpecification.Condition.mostTests) are allowed")
        }
        return FeatureSpecification.Condition(groups: groups)
    }

    /// The members of an `and` or an `or`, which must stand alone in its object.
    private func tests(
        _ list: JSONValue, _ object: JSONValue, _ key: String, _ word: String
    ) throws(ImpactError) -> [JSONValue] {
        guard let tests = list.array, tests.count > 1, object.members?.count == 1 else {
            throw error("wrong_type", key, "\"\(word)\" stands alone, with an array of two tests or more")
        }
        return tests
    }

    private func test(_ value: JSONValue, _ key: String) throws(ImpactError) -> FeatureSpecification.Test {
        let object = try SpecificationObject(value, name: "\(name): \(key)", keys: ["field", "equals"])
        guard let field = try object.field("field"), let constant = try object.constant("equals") else {
            throw error("missing_key", key, "needs \"field\" and \"equals\"")
        }
        return FeatureSpecification.Test(field: field, equals: constant)
    }

    /// Names of features and numbers.
    func operands(_ key: String) throws(ImpactError) -> [FeatureSpecification.Operand]? {
        guard let value = self[key] else { return nil }
        guard let list = value.array, (1...64).contains(list.count) else {
            throw wrongType(key, "an array of 1 to 64 features' names and numbers")
        }
        var operands: [FeatureSpecification.Operand] = []
        for item in list {
            if let number = item.number {
                guard Float(number).isFinite else { throw error("out_of_range", key, "\(number) is beyond a float32") }
                operands.append(.number(number))
            } else if let text = item.string {
                operands.append(.feature(text))
            } else {
                throw error("wrong_type", key, "holds \(item.kindName), not a feature's name or a number")
            }
        }
        return operands
    }

    func span(_ key: String, in range: ClosedRange<TimeSpan>) throws(ImpactError) -> TimeSpan? {
        guard let text = try optionalText(key) else { return nil }
        guard let span = TimeSpan(text), range.contains(span) else {
            throw error(
                "invalid_\(key)", key,
                "\"\(text)\" is not allowed; write a whole number and m, h or d, from \(range.lowerBound) to "
                    + "\(range.upperBound), like \"\(range.lowerBound)\"")
        }
        return span
    }
}
