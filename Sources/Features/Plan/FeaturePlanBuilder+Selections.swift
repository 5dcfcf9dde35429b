import Base
import Events

extension FeaturePlanBuilder {
    /// The feature's event types as bits; nil is every type, also one the schema does not know.
    func mask(_ feature: FeatureSpecification.Feature) throws(ImpactError) -> UInt64? {
        guard let events = feature.events else { return nil }
        var mask: UInt64 = 0
        for event in events {
            guard let number = schema.typeNumber(event) else {
                throw ImpactError(
                    .badInput, code: "schema_lacks_type",
                    "feature \"\(feature.name)\": the event schema has no type \"\(event)\"")
            }
            mask |= 1 << UInt64(number)
        }
        return mask
    }

    /// The place of a field in the schema.
    func index(_ feature: FeatureSpecification.Feature, _ path: String) throws(ImpactError) -> Int {
        if let index = schema.fields.firstIndex(where: { $0.path == path }) { return index }
        throw ImpactError(
            .badInput, code: "schema_lacks_field",
            "feature \"\(feature.name)\": the event schema has no field \"\(path)\"")
    }

    func condition(_ feature: FeatureSpecification.Feature) throws(ImpactError) -> EventCondition? {
        guard let condition = feature.condition else { return nil }
        return EventCondition(
            try condition.groups.map { group throws(ImpactError) in
                try group.map { test throws(ImpactError) in
                    FieldTest(field: try index(feature, test.field), equals: test.equals)
                }
            })
    }

    /// What the feature takes from an event.
    mutating func selection(_ feature: FeatureSpecification.Feature) throws(ImpactError) -> Int {
        let condition = try condition(feature)
        let reading: Selection.Reading
        if let path = feature.field {
            let field = try index(feature, path)
            switch (feature.equals, feature.aggregate.needsField) {
            case (let constant?, true): reading = .indicator(FieldTest(field: field, equals: constant))
            case (let constant?, false): reading = .matching(FieldTest(field: field, equals: constant))
            case (nil, true): reading = .number(field: field)
            case (nil, false): reading = .present(field: field)
            }
        } else {
            reading = .one
        }
        let selection = Selection(reading: reading, condition: condition)
        if let place = selections.firstIndex(of: selection) { return place }
        selections.append(selection)
        return selections.count - 1
    }

    /// All that decides what the bytes of a record mean, as text. Its digest is the fingerprint in every stored record:
    /// `StoredFormatTests` holds it.
    var layoutDescription: String {
        func describe(_ test: FieldTest) -> String {
            "\(schema.fields[test.field].path)=\(test.kind.rawValue):\(test.payload)"
        }
        func describe(_ condition: EventCondition?) -> String {
            guard let condition else { return "-" }
            return condition.groups.map { $0.map { describe($0) }.joined(separator: " or ") }.joined(separator: " and ")
        }
        func describe(_ events: UInt64?) -> String {
            guard let events else { return "*" }
            let types = schema.types.indices.filter { events >> UInt64($0) & 1 == 1 }
            return types.map { schema.types[$0] }.sorted().joined(separator: ",")
        }
        func describe(_ selection: Int) -> String {
            let s = selections[selection]
            let reading =
                switch s.reading {
                case .one: "one"
                case .present(let field): "present \(schema.fields[field].path)"
                case .matching(let test): "matching \(describe(test))"
                case .number(let field): "number \(schema.fields[field].path)"
                case .indicator(let test): "indicator \(describe(test))"
                }
            return "\(reading) where \(describe(s.condition))"
        }
        var lines = ["records 1", "ids \(specification.deduplicationIDs)"]
        for place in fixed {
            lines.append(
                "\(place.kind.stored) \(describe(place.events)) \(describe(place.selection)) \(place.halfLife)")
        }
        for calendar in calendars {
            lines.append("calendar \(calendar.bucket) × \(calendar.buckets)")
            for lane in calendar.lanes {
                lines.append("\(lane.kind.stored) \(describe(lane.events)) \(describe(lane.selection))")
            }
        }
        for table in distincts {
            lines.append(
                "distinct \(describe(table.events)) \(schema.fields[table.field].path) \(describe(table.condition)) "
                    + "\(table.bucket) × \(table.buckets) \(table.capacity)")
        }
        return lines.joined(separator: "\n")
    }
}
