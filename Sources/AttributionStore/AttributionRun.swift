import Attribution
import Base
import Foundation

/// One run: journeys in, credit and the channel report out, in one transaction of the database.
///
/// A process that is killed leaves what was there before: the transaction is undone by the database.
package final class AttributionRun {
    package struct Options {
        package var kind = ModelKind.ihc
        package var models = ModelOptions()
        /// Goes on from the last run; nil attributes everything anew.
        package var since = false
        /// How much earlier than the last run's latest conversion it begins, milliseconds.
        package var grace: Int64 = 7 * 86_400_000
        /// Only users of the table ``JourneyScope/touchedTable`` have new rows; all when the settings are other ones or the model
        /// learns from all journeys.
        package var touchedOnly = false
        /// Credit is what an IHC API answered, not a model's.
        package var usesAnswers = false

        package init() {}
    }

    package struct Outcome {
        package var report = ChannelReport()
        package var reading = ReadingCounts()
        package var journeys = JourneyCounts()
        /// Conversions whose credit was written.
        package var attributed = 0
        package var rows = 0
        /// Journeys that an IHC API has not answered: without credit.
        package var unanswered = 0
        /// Whose conversions were attributed anew.
        package var scope = JourneyScope.all
        /// The first local day that was attributed anew; nil when that is not what was asked.
        package var since: Int32? { if case .since(let day) = scope { day } else { nil } }
        package var remarks: [String] = []
    }

    private let source: any SQLDatabase
    private let sink: any SQLDatabase
    private let reader: JourneyReader
    private let models: AttributionModels
    private let options: Options
    private let settingsText: String

    /// - Parameters:
    ///   - sink: may be the source itself.
    ///   - settingsText: everything that decides the result, as text; another one makes the next run a full one.
    package init(
        source: any SQLDatabase, sink: any SQLDatabase, reading: ReadingSettings, options: Options,
        scores: (any SQLDatabase)? = nil, settingsText: String
    ) {
        self.source = source
        self.sink = sink
        self.options = options
        self.settingsText = settingsText
        var channels = ChannelTable()
        models = AttributionModels(options.models, channels: &channels)
        reader = JourneyReader(source, reading, channels: channels, scores: scores)
    }

    private var isShared: Bool { source === sink }

    package func run(progress: ((String, Int) -> Void)? = nil) throws(ImpactError) -> Outcome {
        if options.since, !isShared {
            throw ImpactError(
                .usage, code: "since_needs_one_database",
                "--since last needs the results in the database that holds the sessions: leave out --out")
        }
        if isShared {
            return try sink.transaction(writing: true) { () throws(ImpactError) in try attribute(progress) }
        }
        return try source.transaction(writing: false) { () throws(ImpactError) in
            try sink.transaction(writing: true) { () throws(ImpactError) in try attribute(progress) }
        }
    }

    /// The same inside a transaction of the caller's.
    package func attribute(_ progress: ((String, Int) -> Void)? = nil) throws(ImpactError) -> Outcome {
        try ResultTables.create(sink)
        var outcome = Outcome()
        let fingerprint = SHA256.hex(SHA256.digest(Array(settingsText.utf8)))
        let watermark = try ResultTables.state("watermark", sink).flatMap { Int64($0) }
        if options.touchedOnly {
            let isSame = try ResultTables.state("settings", sink) == fingerprint
            if isSame, !options.kind.learns { outcome.scope = .touched }
        } else if options.since, let watermark {
            if options.kind.learns {
                outcome.remarks.append(
                    "\(options.kind.rawValue) learns from all journeys: every conversion was attributed anew")
            } else if try ResultTables.state("settings", sink) != fingerprint {
                outcome.remarks.append(
                    "the settings are not those of the last run: every conversion was attributed anew")
            } else {
                outcome.scope = .since(day: reader.settings.clock.reading(watermark - options.grace).day)
            }
        }
        let model = try fitted(&outcome, progress)
        switch outcome.scope {
        case .since(let day):
            try sink.run(
                """
                DELETE FROM \(ResultTables.credit) WHERE conv_id IN \
                (SELECT CAST(conv_id AS TEXT) FROM conversions WHERE \(try ConversionRows.day(source)) >= $1)
                """, [.text(CivilDay.text(day))])
        case .touched:
            try sink.execute(
                """
                DELETE FROM \(ResultTables.credit) WHERE conv_id IN (SELECT conv_id FROM conversions \
                WHERE user_id IN (SELECT user_id FROM \(JourneyScope.touchedTable)))
                """)
        case .all: try sink.execute("DELETE FROM \(ResultTables.credit)")
        }
        try write(model, &outcome, progress)
        if outcome.scope != .all { try reader.addStoredCredit(to: &outcome.report) }
        try reader.addCosts(to: &outcome.report)
        outcome.reading = reader.counts
        try ResultTables.write(outcome.report, sink)
        if let latest = [reader.counts.latest, watermark].compactMap({ $0 }).max() {
            try ResultTables.setState("watermark", String(latest), sink)
        }
        try ResultTables.setState("settings", fingerprint, sink)
        try ResultTables.setState("model", options.usesAnswers ? "ihc-api" : options.kind.rawValue, sink)
        return outcome
    }

    /// The model, after a pass over all journeys when it learns.
    private func fitted(
        _ outcome: inout Outcome, _ progress: ((String, Int) -> Void)?
    ) throws(ImpactError) -> any CreditModel {
        if let rule = models.rule(options.kind) { return rule }
        guard let fitter = models.fitter(options.kind) else {
            throw ImpactError(.failed, code: "no_model", "the model \(options.kind.rawValue) cannot be made")
        }
        try reader.forEachJourney(progress: { progress?("learn", $0) }) { (journey) throws(ImpactError) in
            let converted = journey.conversion != nil
            fitter.add(
                journey.touches, conversion: journey.conversion?.time, conversions: converted ? 1 : 0,
                nulls: converted ? 0 : 1)
        }
        let model = fitter.finish(channels: reader.channels.count)
        outcome.remarks += model.remarks
        return model
    }

    private func write(
        _ model: any CreditModel, _ outcome: inout Outcome, _ progress: ((String, Int) -> Void)?
    ) throws(ImpactError) {
        let writer = CreditWriter(sink, isEmpty: outcome.scope == .all)
        var weights: [Double] = []
        var units: [Int64] = []
        var report = ChannelReport()
        var attributed = 0
        // A day earlier: a text with a zone may name another day than the local one.
        let first = outcome.since.map { $0 - 1 }
        let isFull = outcome.scope == .all
        let scope = first.map { JourneyScope.since(day: $0) } ?? outcome.scope
        let answers = options.usesAnswers ? try IHCAnswers(sink) : nil
        var unanswered = 0
        try reader.forEachJourney(of: scope, progress: { progress?("attribute", $0) }) {
            (journey) throws(ImpactError) in
            guard let conversion = journey.conversion else { return }
            if let first, conversion.day < first { return }
            if let answers {
                guard let stored = try answers.weights(of: journey, self.reader.channels) else {
                    unanswered += 1
                    return
                }
                weights = stored
            } else {
                model.weights(of: journey.touches, conversion: conversion.time, into: &weights)
            }
            Credit.divide(weights, into: &units)
            try writer.add(conversion.id, journey.touches, units)
            attributed += 1
            guard isFull else { return }
            for (touch, share) in zip(journey.touches, units) {
                report.add(
                    channel: self.reader.channels[touch.channel], day: touch.day, units: share,
                    revenue: conversion.revenue)
            }
        }
        try writer.flush()
        outcome.report = report
        outcome.journeys = reader.journeyCounts
        outcome.attributed = attributed
        outcome.rows = writer.written
        outcome.unanswered = unanswered
    }
}
