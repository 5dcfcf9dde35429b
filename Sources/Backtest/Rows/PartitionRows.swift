import Base
import Engine
import Events
import Features
import JSON
import Pipeline
import Tabular

/// Makes the rows of one partition, or of several that are read as one.
///
/// For an event that assigns, in this order: its row's features are read from the state as it stands; the row opens; the
/// event is applied. So nothing of the event itself, and nothing behind it, can be in its features.
/// An outcome counts in each row of its user that is open and whose window holds the outcome's time, once: the state
/// tells duplicates by their id.
final class PartitionRows {
    private let span: PartitionSpan
    private let options: RowsOptions
    private let plan: FeaturePlan
    private let batch: EventBatch
    private let state: PartitionState
    private let file: PartFile
    /// By partition; empty when no scores are joined.
    private let joins: [Int32: ScoreJoin]
    /// Where each partition's warm-up ends.
    private let from: [Int32: Int64]
    /// Events read before the batch at hand.
    private var earlier = 0
    private var open: OpenRows
    private var row: [Float]
    private(set) var counters = RowsCounters()
    /// The latest event time so far.
    private var latest = Int64.min
    /// Closes rows.
    private var clock: RowsClock
    private let texts = TreatmentTexts()
    private let assignmentTypes: UInt64?
    private let valueField: Int
    private let rules: [Rule]
    private let outcomeTypes: UInt64
    private let eraseNumber: UInt8
    /// The number of the latest erasure of a user who was erased among all events, by the id's hash.
    private var erasures: [UInt64: Int] = [:]

    private struct Rule {
        var kind: OutcomeRule.Kind
        var plus: UInt64
        var minus: UInt64
    }

    /// - Parameters:
    ///   - span: what the source is asked for.
    ///   - spans: that one, or those that it joins.
    init(
        _ span: PartitionSpan, of spans: [PartitionSpan], plan: FeaturePlan, options: RowsOptions, file: PartFile,
        joins: [Int32: ScoreJoin]
    ) {
        self.span = span
        from = Dictionary(uniqueKeysWithValues: spans.map { ($0.partition, $0.from) })
        self.options = options
        self.plan = plan
        self.file = file
        self.joins = joins
        batch = EventBatch(schema: plan.schema, limits: options.limits, capacity: 1_024)
        state = PartitionState(plan: plan)
        state.timeToLive = options.timeToLive
        clock = RowsClock(patience: options.lateness, least: options.leastUsers)
        open = OpenRows(featureCount: plan.count, outcomeCount: options.outcomes.count)
        row = [Float](repeating: 0, count: max(1, plan.count))
        func mask(_ types: [String]) -> UInt64 {
            types.reduce(0) { mask, type in plan.schema.typeNumber(type).map { mask | 1 << UInt64($0) } ?? mask }
        }
        assignmentTypes = options.assignmentTypes.map(mask)
        valueField = plan.schema.fields.firstIndex { $0.path == "value" } ?? 0
        rules = options.outcomes.map { Rule(kind: $0.kind, plus: mask($0.types), minus: mask($0.subtracted)) }
        outcomeTypes = rules.reduce(0) { $0 | $1.plus | $1.minus }
        eraseNumber = UInt8(clamping: plan.schema.typeNumber(Processor.eraseType) ?? 255)
        counters.stream.users = UserSample()
        counters.totals = [Double](repeating: 0, count: rules.count)
    }

    /// Reads the span to its end.
    func run(_ source: any RecordSource, advanced: (Int) -> Bool) throws -> Bool {
        try source.begin(span)
        var more = true
        while more {
            let before = source.position
            more = try step(source)
            if advanced(Int(clamping: source.position - before)), more { return false }
        }
        clock.finish()
        if let lead = clock.lead { counters.leads[from.count > 1 ? -1 : span.partition] = lead }
        while !open.isEmpty { try close() }
        try file.sync()
        counters.models = joins.values.reduce(into: []) { $0.formUnion($1.models) }
        return true
    }

    private func step(_ source: any RecordSource) throws -> Bool {
        batch.removeAll()
        let more = try source.read(max: batch.capacity) { record in
            counters.stream.messages += 1
            if record.isWarmUp { counters.stream.warmUpMessages += 1 }
            do throws(InputError) {
                try batch.append(
                    record.value, key: record.key,
                    source: SourcePosition(
                        partition: record.partition, offset: record.offset, timestamp: record.timestamp))
                // Events keep hashes of arm and experiment; their texts are in the message, which is at hand now.
                if batch[batch.count - 1].hasTreatment { texts.learn(batch[batch.count - 1], record.value) }
            } catch {
                counters.stream.rejected[error.code.name, default: 0] += 1
            }
        }
        batch.takeUnusableValues { field, count in
            counters.stream.unusable = counters.stream.unusable ?? [:]
            counters.stream.unusable?[batch.schema.fields[field].path, default: 0] += count
        }
        try apply()
        earlier += batch.count
        state.commit()
        return more
    }

    /// Applies the batch; stops before each event that assigns.
    private func apply() throws {
        var start = 0
        for i in 0..<batch.count where assigns(batch[i]) {
            try apply(start..<i)
            try assign(i)
            start = i
        }
        try apply(start..<batch.count)
    }

    private func assigns(_ event: Event) -> Bool {
        guard event.hasTreatment, event.source.offset >= from[event.source.partition] ?? 0 else { return false }
        guard let assignmentTypes else { return true }
        return event.type < 64 && assignmentTypes & (1 << UInt64(event.type)) != 0
    }

    private func apply(_ range: Range<Int>) throws {
        try state.apply(batch, range) { i, applied in
            let event = batch[i]
            guard case .applied = applied else {
                if applied == .refused { counters.refused += 1 } else { counters.stream.duplicates += 1 }
                return
            }
            counters.stream.events += 1
            counters.stream.users?.see(event.userHash)
            if event.type == eraseNumber {
                state.remove(user: batch.user(i))
                erasures[event.userHash] = earlier + i
            } else if event.refuses.contains(.storing) {
                erasures[event.userHash] = earlier + i
            }
            if event.type < 64, outcomeTypes & (1 << UInt64(event.type)) != 0 { credit(event, i) }
            counters.stream.firstTime = min(counters.stream.firstTime ?? .max, event.time)
            if event.time < latest {
                counters.stream.eventTimeBackwards += 1
            } else {
                latest = event.time
                counters.stream.lastTime = latest
            }
            guard clock.see(event.time, of: event.userHash) else { return }
            while !open.isEmpty, isClosed(open[open.first].time) { try close() }
        }
    }

    private func isClosed(_ assigned: Int64) -> Bool {
        clock.now != .min && assigned + options.window + options.lateness < clock.now
    }

    /// Opens the row of an event that assigns, which is not applied yet.
    private func assign(_ i: Int) throws {
        let event = batch[i], user = batch.user(i)
        let before = row.withUnsafeMutableBufferPointer { row in
            // Never empty: see init.
            state.features(before: event, user: user, into: row.baseAddress!)
        }
        switch before {
        case .duplicate, .refused: return
        case .ahead:
            counters.outOfOrder += 1
            return
        case .features: break
        }
        var found = ScoreJoin.Found(uplift: .nan, standardError: .nan)
        if let join = joins[event.source.partition] {
            guard let score = try join.score(at: event.source.offset, userHash: event.userHash) else {
                counters.withoutScore += 1
                return
            }
            found = score
        }
        guard open.count < options.maxOpen else {
            throw ImpactError(
                .failed, code: "rows_open",
                "\(from.count > 1 ? "the joined input" : "partition \(span.partition)") has \(open.count) assignments whose outcomes are awaited: shorten "
                    + "--outcome-window or --lateness, or split the range")
        }
        row.withUnsafeBufferPointer { row in
            open.open(
                OpenRows.Row(
                    partition: event.source.partition, offset: event.source.offset, number: earlier + i,
                    time: event.time, userHash: event.userHash, user: Array(user),
                    arm: event.armHash, experiment: event.experimentHash, propensity: event.propensity,
                    uplift: found.uplift, standardError: found.standardError,
                    effects: found.effects, previous: -1),
                features: UnsafeBufferPointer(rebasing: row[..<plan.count]))
        }
        counters.mostOpen = max(counters.mostOpen, open.count)
    }

    /// Counts an outcome in the rows it belongs to.
    private func credit(_ event: Event, _ i: Int) {
        let bit: UInt64 = 1 << UInt64(event.type)
        let value = batch.fields(i)[valueField].number
        var isUsed = false, isBefore = false
        var numbers: [Int] = []
        open.forEach(of: event.userHash, batch.user(i)) { number, row in
            if event.time < row.time {
                isBefore = true
            } else if event.time - row.time < options.window, !isClosed(row.time) {
                numbers.append(number)
                isUsed = true
            }
        }
        for number in numbers {
            for (place, rule) in rules.enumerated() where (rule.plus | rule.minus) & bit != 0 {
                switch rule.kind {
                case .any: open.set(1, outcome: place, of: number)
                case .count: open.add(1, to: place, of: number)
                case .sum where value.isNaN: break
                case .sum: open.add(rule.minus & bit != 0 ? -value : value, to: place, of: number)
                }
            }
        }
        if isUsed {
            counters.outcomesUsed += 1
            if value.isNaN, rules.contains(where: { $0.kind == .sum && ($0.plus | $0.minus) & bit != 0 }) {
                counters.outcomesWithoutValue += 1
            }
        } else if clock.now != .min, event.time + options.lateness < clock.now {
            counters.outcomesLate += 1
        } else if isBefore {
            counters.outcomesBefore += 1
        } else {
            counters.outcomesUnattributed += 1
        }
    }

    /// Writes the first open row and takes it away.
    private func close() throws {
        let number = open.first
        let row = open[number]
        let isCensored = row.time + options.window > clock.now
        let arm = texts.arm(row.arm)
        if let erasure = erasures[row.userHash], row.number < erasure {
            counters.erased += 1
            return open.removeFirst()
        }
        if isCensored { counters.censored += 1 }
        guard options.keepsCensored || !isCensored else { return open.removeFirst() }
        counters.rows += 1
        counters.arms[arm, default: 0] += 1
        for (place, value) in open.outcomes(number).enumerated() { counters.totals[place] += value }
        try file.append { out in
            func comma() { out.append(UInt8(ascii: ",")) }
            func text(_ text: String) {
                Array(text.utf8).withUnsafeBytes { options.field.append($0, to: out) }
                comma()
            }
            func number(_ value: Double) {
                if value.isFinite { out.append(value) }
                comma()
            }
            out.append(Int64(row.partition))
            comma()
            out.append(row.offset)
            comma()
            row.user.withUnsafeBytes { options.field.append($0, to: out) }
            comma()
            out.append(row.time)
            comma()
            text(texts.experiment(row.experiment))
            text(arm)
            number(row.propensity)
            if !joins.isEmpty {
                number(row.uplift)
                number(row.standardError)
                for value in row.effects { number(value) }
            }
            for value in open.features(open.first) { number(Double(value)) }
            for value in open.outcomes(open.first) { number(value) }
            out.append(isCensored ? UInt8(ascii: "1") : UInt8(ascii: "0"))
            out.append(UInt8(ascii: "\n"))
        }
        open.removeFirst()
    }
}

/// The texts behind the hashes of arms and experiments; there are few.
final class TreatmentTexts {
    private var arms: [UInt64: String] = [:]
    private var experiments: [UInt64: String] = [:]

    /// Reads the message's treatment when its hashes are new.
    func learn(_ event: Event, _ message: UnsafeRawBufferPointer?) {
        guard arms[event.armHash] == nil || experiments[event.experimentHash] == nil, let message else { return }
        // The message was read once and found valid.
        guard let treatment = try? JSONValue(parsing: Array(message), name: "event", maxDepth: 64)["treatment"] else {
            return
        }
        arms[event.armHash] = Self.text(treatment["arm"])
        experiments[event.experimentHash] = Self.text(treatment["experiment_id"])
    }

    func arm(_ hash: UInt64) -> String { arms[hash] ?? "" }
    func experiment(_ hash: UInt64) -> String { experiments[hash] ?? "" }

    private static func text(_ value: JSONValue?) -> String {
        switch value {
        case .string(let text): text
        case .number(let number): Int64(exactly: number).map(String.init) ?? "\(number)"
        default: ""
        }
    }
}
