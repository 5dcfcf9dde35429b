import Base
import Engine
import Events
import Features
import Pipeline
import Tabular

/// What training rows are made of.
package struct RowsOptions: Sendable {
    package var specification: FeatureSpecification
    package var outcomes = OutcomeRule.usual
    /// An outcome counts when its time is at or after the assignment's and before that plus this, milliseconds.
    package var window: Int64 = 7 * 86_400_000
    /// How much longer a row stays open for events that arrive late, in event time, milliseconds.
    package var lateness: Int64 = 86_400_000
    /// Types of events that assign; nil: every event with a `treatment`.
    package var assignmentTypes: [String]?
    package var limits = EventLimits()
    /// Milliseconds of event time that a user without an event is remembered; 0 is for ever.
    package var timeToLive: Int64 = 0
    package var threads = 0
    /// Whether all partitions are read as one (``JoinedSourceFactory``), on one thread.
    package var joins = false
    /// How texts are written.
    package var field = CSVField.plain
    /// The effects that scores of a model with several have; each gets its own columns beside `uplift`.
    package var effects: [ScoreEffect] = []
    /// Where a row's score comes from, when scores are joined.
    package var scoreAt = ScoreAt.assignment
    /// Whether rows whose window is not over at the end of the data are written, marked, or only counted.
    package var keepsCensored = true
    /// Users that a partition must have shown before event time closes rows: a handful may have odd clocks.
    package var leastUsers = 64
    /// The most open rows per partition may have.
    package var maxOpen = 20_000_000

    /// Which score belongs to an assignment.
    package enum ScoreAt: String, Sendable, CaseIterable {
        /// The one of the assigning event itself.
        case assignment
        /// That one, else the user's last one before it. Never one after it: only one arm may have such.
        case before
    }

    package init(specification: FeatureSpecification) { self.specification = specification }

    /// Compiles the specification against a schema that also knows the outcomes' types and `value`.
    ///
    /// - Throws: `rows_column` when two columns would have one name; `too_many_event_types`.
    package func plan() throws(ImpactError) -> FeaturePlan {
        var seen = Set(RowColumns.fixed + ["uplift", "std_error", "censored"])
        for name in specification.names + outcomes.map(\.name) where !seen.insert(name).inserted {
            throw ImpactError(
                .usage, code: "rows_column",
                "two columns would be named '\(name)': rename the feature, or the outcome with --outcome")
        }
        let types = outcomes.flatMap { $0.types + $0.subtracted } + (assignmentTypes ?? []) + Processor.userTypes
        let base = try specification.eventSchema(extraTypes: types)
        var fields = base.fields
        if !fields.contains(where: { $0.path == "value" }) { fields.append(.init("value", expects: .number)) }
        return try FeaturePlan(
            specification, schema: EventSchema(fields: fields, customTypes: base.types))
    }
}

/// The columns of a row.
enum RowColumns {
    static let fixed = ["partition", "offset", "user_id", "time", "experiment", "arm", "arm_propensity"]

    static func heading(_ options: RowsOptions, hasScores: Bool) -> [UInt8] {
        let names =
            fixed
            + (hasScores
                ? ["uplift", "std_error"]
                    + options.effects.flatMap { [$0.column("uplift"), $0.column("std_error")] } : [])
            + options.specification.names
            + options.outcomes.map(\.name) + ["censored"]
        let out = ByteBuffer()
        for (i, name) in names.enumerated() {
            if i > 0 { out.append(UInt8(ascii: ",")) }
            Array(name.utf8).withUnsafeBytes { options.field.append($0, to: out) }
        }
        out.append(UInt8(ascii: "\n"))
        return Array(out.bytes)
    }
}
