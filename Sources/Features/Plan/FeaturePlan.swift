import Base
import Events

/// A specification compiled against an event schema: where each aggregate lies in a user's record, what each type of
/// event changes there, and how each feature is read from it.
///
/// A record holds only what is there: a calendar keeps a row for each bucket of time in which something happened, so a
/// quiet user costs little whatever the windows, and what is read and written per event follows the user's activity.
/// Features that count the same events in buckets of one width share their numbers, also across windows.
public struct FeaturePlan: Sendable {
    public let specification: FeatureSpecification
    public let schema: EventSchema
    /// Names the layout of the records: equal when records of one plan mean the same under another. It changes with
    /// whatever changes the aggregates kept, and not with names, defaults and ratios.
    public let fingerprint: UInt64
    /// What ``fingerprint`` is the digest of: all that decides what the bytes of a record mean.
    public let layoutDescription: String
    let program: FeatureProgram

    /// Numbers of a row.
    public var count: Int { specification.count }

    /// - Throws: `badInput` when the schema lacks a field or a type of the specification, or the largest record it
    ///   allows would pass 256 KiB.
    public init(_ specification: FeatureSpecification, schema: EventSchema) throws(ImpactError) {
        var builder = FeaturePlanBuilder(specification: specification, schema: schema)
        try builder.build()
        self.specification = specification
        self.schema = schema
        program = try FeatureProgram(builder)
        layoutDescription = builder.layoutDescription
        let digest = SHA256.digest(Array(layoutDescription.utf8))
        fingerprint = digest.prefix(8).reduce(0) { $0 << 8 | UInt64($1) }
    }

    /// The plan against the schema the specification itself asks for.
    public init(_ specification: FeatureSpecification) throws(ImpactError) {
        try self.init(specification, schema: try specification.eventSchema())
    }

    /// The most bytes that a user's record can take, the id and the slack of its block aside.
    public var largestRecord: Int { program.largestRecord }
}
