import Events
import Features

/// Looks at the events of a partition as they go by: clocks that run backwards, fields and types that never come.
struct StreamWatch: Codable, Equatable {
    private var latestEvent = Int64.min
    private var latestRecord = Int64.min
    private var unseenFields: [Int]
    private var unseenTypes: [Int]

    init(_ schema: EventSchema, specification: FeatureSpecification) {
        let named = Set(
            specification.features.compactMap(\.field)
                + specification.features.flatMap { $0.condition?.groups.joined().map(\.field) ?? [] })
        unseenFields = schema.fields.indices.filter { named.contains(schema.fields[$0].path) }
        let types = Set(specification.features.flatMap { $0.events ?? [] })
        unseenTypes = schema.types.indices.filter { types.contains(schema.types[$0]) }
    }

    /// Whether a watch of this schema can be so.
    func isPlausible(_ schema: EventSchema) -> Bool {
        // Before the first event they are the least number there is.
        let times: [Int64] = [latestEvent, latestRecord].filter { (time: Int64) in time > Int64.min }
        return times.allSatisfy { PlausibleCount.holds(time: $0) }
            && unseenFields.allSatisfy { schema.fields.indices.contains($0) }
            && unseenTypes.allSatisfy { schema.types.indices.contains($0) }
    }

    mutating func look(_ batch: EventBatch, _ counters: inout ReplayCounters) {
        batch.takeUnusableValues { field, count in
            counters.stream.unusable = counters.stream.unusable ?? [:]
            counters.stream.unusable?[batch.schema.fields[field].path, default: 0] += count
        }
        var first = counters.stream.firstTime ?? .max
        // Taken out while it changes: no copy.
        var users = counters.stream.users.take() ?? UserSample()
        defer { counters.stream.users = users }
        for i in 0..<batch.count {
            let event = batch[i]
            first = min(first, event.time)
            users.see(event.userHash)
            if event.time < latestEvent {
                counters.stream.eventTimeBackwards += 1
                counters.farthestBack = max(counters.farthestBack, latestEvent - event.time)
            } else {
                latestEvent = event.time
            }
            if event.source.timestamp < latestRecord {
                counters.recordTimeBackwards += 1
            } else {
                latestRecord = event.source.timestamp
            }
        }
        guard batch.count > 0 else { return }
        counters.stream.firstTime = first
        counters.stream.lastTime = latestEvent
        // What was seen once is not looked for again: in a healthy stream this ends with the first batches.
        unseenFields.removeAll { field in
            (0..<batch.count).contains { batch.fields($0)[field].kind != .missing }
        }
        unseenTypes.removeAll { type in (0..<batch.count).contains { Int(batch[$0].type) == type } }
    }

    /// Fields and types that features name and no event has had so far.
    func unseen(in schema: EventSchema) -> (fields: Set<String>, types: Set<String>) {
        (Set(unseenFields.map { schema.fields[$0].path }), Set(unseenTypes.map { schema.types[$0] }))
    }
}
