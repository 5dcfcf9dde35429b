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
        /// Credit is what an IHC API answered, not a model's.
        package var usesAnswers = false
        /// What was asked for, as JSON; a report of this run is made with the same.
        package var asked: String?
        /// What is known of the source before it is read.
        package var remarks: [String] = []

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
        /// Journeys of more sessions than a call may have: none will ever be sent.
        package var tooLong = ReadingCounts.Amounts()
        /// Of a stream: channels and days that were stated.
        package var changed = 0
        /// Whose conversions were attributed anew.
        package var scope = JourneyScope.all
        /// The first local day that was attributed anew; nil when that is not what was asked.
        package var since: Int32? { if case .since(let day) = scope { day } else { nil } }
        /// Conversions that the causal model divided equally, since none of their sessions has a positive score.
        package var withoutScore = 0
        package var remarks: [String] = []

        /// What a reader should know first: every class that was counted.
        package var notes: [String] { journeys.notes + reading.notes + remarks }
    }

    private let source: any SQLDatabase
    private let sink: any SQLDatabase
    private let reader: JourneyReader
    private let models: AttributionModels
    private let options: Options
    private let settingsText: String
    private let hasScores: Bool

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
        hasScores = scores != nil
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
        outcome.remarks = options.remarks
        let watermark = try ResultTables.state("watermark", sink).flatMap { Int64($0) }
        if options.since, let watermark {
            if hasScores {
                outcome.remarks.append("scores may have come for any session: every conversion was attributed anew")
            } else if options.kind.learns {
                outcome.remarks.append(
                    "\(options.kind.rawValue) learns from all journeys: every conversion was attributed anew")
            } else if try !hasSameSettings() {
                outcome.remarks.append(
                    "the settings are not those of the last run: every conversion was attributed anew")
            } else if let table = try reader.tableWithRepeatedIDs() {
                outcome.remarks.append(
                    "\(table) has ids more than once: every conversion was attributed anew"
                )
            } else {
                let latest = min(watermark, reader.now)
                outcome.scope = .since(day: reader.settings.clock.reading(latest - options.grace).day)
            }
        }
        try divide(&outcome, progress)
        if outcome.scope != .all { try reader.addStoredCredit(to: &outcome.report) }
        // All sessions were read, or some: then duplicates are not known.
        let odd = outcome.journeys.duplicateSessions + reader.counts.sessionsWithoutUser
        let hasDuplicates = outcome.scope != .all || odd > 0
        try reader.addCosts(to: &outcome.report, hasDuplicates: hasDuplicates)
        try reader.countRefunds()
        try noteScores(&outcome)
        outcome.reading = reader.counts
        try ResultTables.write(outcome.report, sink)
        try noteRun()
        if let asked = options.asked { try ResultTables.setState("asked", asked, sink) }
        try ResultTables.setNotes(outcome.notes, sink)
        return outcome
    }

    /// The causal model divides by scores: without any it cannot answer, and it says which conversions lack them.
    private func noteScores(_ outcome: inout Outcome) throws(ImpactError) {
        guard options.kind == .causal, !options.usesAnswers, outcome.withoutScore > 0 else { return }
        guard outcome.scope != .all || outcome.report.lines.contains(where: { $0.scored > 0 }) else {
            throw CausalModel.withoutScores
        }
        outcome.remarks.append(
            "\(outcome.withoutScore) conversions have no session with a positive uplift score: divided equally")
    }

    /// Forgets the credit of those who are attributed anew and writes it anew; the report gets what was written.
    private func divide(
        _ outcome: inout Outcome, _ progress: ((String, Int) -> Void)?
    ) throws(ImpactError) {
        let model = try fitted(&outcome, progress)
        switch outcome.scope {
        case .since(let day):
            try JourneyScope.fillSince(day, sink)
            try removeCreditSince()
        case .all: try sink.execute("DELETE FROM \(ResultTables.credit)")
        }
        try write(model, &outcome, progress)
    }

    /// Whether the last run had these settings.
    private func hasSameSettings() throws(ImpactError) -> Bool {
        try ResultTables.hasSettings(settingsText, sink)
    }

    /// What the next run goes on from.
    private func noteRun() throws(ImpactError) {
        try ResultTables.noteRun(
            latest: reader.counts.latest, settings: settingsText,
            model: options.usesAnswers ? "ihc-api" : options.kind.rawValue, sink)
    }

    /// States everything that a stream holds anew, in a transaction of the caller's.
    func restate() throws(ImpactError) -> Outcome {
        var outcome = Outcome()
        try divide(&outcome, nil)
        try reader.addCosts(to: &outcome.report)
        try ChannelSums.replace(outcome.report, sink)
        outcome.changed = outcome.report.lines.count
        try noteRun()
        return outcome
    }

    /// Removes the credit of those who are attributed anew, and of conversions that are there no more.
    private func removeCreditSince() throws(ImpactError) {
        let gone =
            sink is SQLiteDatabase
            ? "conv_id NOT IN (SELECT conv_id FROM conversions WHERE conv_id IS NOT NULL)"
            : "NOT EXISTS (SELECT 1 FROM conversions o WHERE \(sink.asText("o.conv_id")) = \(ResultTables.credit).conv_id)"
        try sink.execute(
            """
            DELETE FROM \(ResultTables.credit) WHERE conv_id IN (SELECT CAST(conv_id AS TEXT) FROM conversions \
            WHERE user_id IN (SELECT user_id FROM \(JourneyScope.sinceTable))) OR \(gone)
            """)
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
        var isPart = false
        if case .since = outcome.scope { isPart = true }
        let writer = CreditWriter(sink)
        var weights: [Double] = []
        var units: [Int64] = []
        var report = outcome.report
        var attributed = 0
        var withoutScore = 0
        let isCausal = options.kind == .causal
        let answers = options.usesAnswers ? try IHCAnswers(sink) : nil
        var unanswered = 0
        var tooLong = ReadingCounts.Amounts()
        if !isPart {
            reader.eachUser = { [unowned reader] touches in
                for touch in touches where touch.uplift.isFinite {
                    report.add(
                        channel: reader.channels[touch.channel], day: touch.day, uplift: touch.uplift,
                        error: touch.upliftError)
                }
            }
        }
        defer { reader.eachUser = nil }
        try reader.forEachJourney(of: outcome.scope, progress: { progress?("attribute", $0) }) {
            (journey) throws(ImpactError) in
            guard let conversion = journey.conversion else { return }
            if let answers {
                guard let stored = try answers.weights(of: journey, self.reader.channels) else {
                    if journey.touches.count > IHCClient.maximumSessions {
                        tooLong += conversion.revenue
                    } else {
                        unanswered += 1
                    }
                    return
                }
                weights = stored
            } else {
                model.weights(of: journey.touches, conversion: conversion.time, into: &weights)
                if isCausal, !weights.contains(where: { $0 > 0 }) { withoutScore += 1 }
            }
            Credit.divide(weights, into: &units)
            try writer.add(conversion.id, journey.touches, units, isNew: !isPart)
            attributed += 1
            guard !isPart else { return }
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
        outcome.withoutScore = withoutScore
        outcome.rows = writer.written
        outcome.unanswered = unanswered
        outcome.tooLong = tooLong
        if tooLong.rows > 0 {
            outcome.remarks.append(
                "\(tooLong.rows) conversions with a journey of more than \(IHCClient.maximumSessions) sessions, revenue "
                    + "\(tooLong.sum.text): the API takes no such call, so no channel gets them")
        }
    }
}
