import Base
import Events

extension FeatureSpecification {
    /// What a reader must extract from events for these features.
    ///
    /// - Parameter extraTypes: event types to know by number beyond those the features name, such as types that
    ///   trigger a score.
    /// - Throws: `badConfiguration` for more than 64 types in all, those of the contract included.
    public func eventSchema(extraTypes: [String] = []) throws(ImpactError) -> EventSchema {
        var order: [String] = []
        var needsNumber: [String: Bool] = [:]
        func use(_ path: String, number: Bool) {
            if needsNumber[path] == nil { order.append(path) }
            needsNumber[path] = (needsNumber[path] ?? true) && number
        }
        var types: [String] = []
        for feature in features {
            types += feature.events ?? []
            if let path = feature.field {
                use(
                    path,
                    number: feature.aggregate.needsField && feature.aggregate != .distinct && feature.equals == nil)
            }
            for test in feature.condition?.groups.joined() ?? [].joined() { use(test.field, number: false) }
        }
        // A text in a field that is only ever used as a number is missing, and counted; `value` is a number always.
        let fields = order.map { path in
            EventSchema.Field(
                path, expects: path == "value" || needsNumber[path] == true ? .number : .any)
        }
        let known = Set(EventSchema.contractTypes + types + extraTypes).count
        guard known <= 64 else {
            throw ImpactError(
                .badConfiguration, code: "too_many_event_types",
                "the features and the scored events name \(known) event types; at most 64 are allowed")
        }
        return EventSchema(fields: fields, customTypes: types + extraTypes)
    }
}
