import Base
import Engine
import Events
import Features
import JSON
import Scoring
import Tabular

/// What a thread of the server needs to score: a scorer, rows, and the writer. Nothing is allocated for a single row.
final class ScoringSession {
    let served: ServedModel
    private let model: Model
    private let scorer: Scorer
    private let writer: ScoreWriter
    private let rows: UnsafeMutablePointer<Float>
    private let estimates: UnsafeMutablePointer<Estimate>
    private let effects: UnsafeMutablePointer<ScoreWriter.Effect>
    /// A bit a feature of the row being read: given already.
    private let seen: UnsafeMutablePointer<UInt64>
    private let seenWords: Int
    let scratch = ByteBuffer(capacity: 512)
    /// Ids of the users of the block's rows.
    let users = ByteBuffer(capacity: 512)
    let record = CSVRecord()
    private var fold: UserFold?

    /// Rows scored together.
    static let block = 1_024

    init(_ served: ServedModel) {
        let model = served.model
        self.served = served
        self.model = model
        scorer = Scorer(model: model, maxRows: Self.block)
        writer = ScoreWriter(
            effects: model.treatments.flatMap { treatment in
                model.outcomes.map { ScoreWriter.EffectName(treatment: treatment, outcome: $0) }
            }, level: served.level.level, decisions: Decision.allCases.map { "\($0)" }, model: model.name,
            version: model.version, sha256: model.sha256, topics: [],
            response: model.isResponse ? model.responseName : nil)
        rows = .allocate(capacity: Self.block * model.rowStride)
        rows.initialize(repeating: 0, count: Self.block * model.rowStride)
        estimates = .allocate(capacity: Self.block * model.effectCount)
        effects = .allocate(capacity: model.effectCount)
        seenWords = (model.featureCount + 63) / 64
        seen = .allocate(capacity: seenWords)
    }

    deinit {
        rows.deallocate()
        estimates.deallocate()
        effects.deallocate()
        seen.deallocate()
    }

    /// The session of the thread at hand.
    static func of(_ exchange: Exchange, _ served: ServedModel) -> ScoringSession {
        if let session = exchange.scratch as? ScoringSession, session.served === served { return session }
        let session = ScoringSession(served)
        exchange.scratch = session
        return session
    }

    @inline(__always)
    func row(_ index: Int) -> UnsafeMutablePointer<Float> { rows + index * model.rowStride }

    // MARK: Reading a row

    /// Fills a row with what features are that nobody gives.
    @inline(__always)
    func clear(_ row: UnsafeMutablePointer<Float>) {
        served.defaults.withUnsafeBufferPointer { defaults in
            if let base = defaults.baseAddress { row.update(from: base, count: defaults.count) }
        }
        seen.update(repeating: 0, count: seenWords)
    }

    /// Reads `{"name":value,…}` into a cleared row.
    ///
    /// - Parameter place: where the object stands in the request, for errors: `features`, `rows[3]`.
    func readFeatures(
        _ scanner: inout JSONScanner, into row: UnsafeMutablePointer<Float>, place: @autoclosure () -> String
    ) throws(Problem) {
        var name = JSONScanner.Text(start: 0, end: 0, hasEscape: false)
        do throws(InputError) {
            var expected = 0
            var more = try scanner.enterObject()
            while more {
                name = try scanner.scanName()
                let bytes = scanner.decoded(name, scratch)
                let index = served.names.find(bytes, expected: expected)
                if index >= 0 {
                    expected = index + 1
                    try readValue(&scanner, index, into: row)
                } else {
                    let column = served.textNames.find(bytes, expected: 0)
                    guard column >= 0 else { break }
                    try readText(&scanner, column, into: row)
                }
                more = try scanner.nextMember()
            }
            if !more { return }
        } catch {
            throw served.problem(error, field: faultField(scanner, name, place()))
        }
        throw served.unknownFeature(text(scanner, name), place: place())
    }

    /// Computes what follows from the features that were read into a row and was not read itself.
    @inline(__always)
    func complete(_ row: UnsafeMutablePointer<Float>) {
        served.values.complete(row) { seen[$0 &>> 6] & (1 as UInt64 &<< UInt64($0 & 63)) != 0 }
    }

    /// Whether each feature was read into the row that was cleared last.
    var given: [Bool] { (0..<model.featureCount).map { seen[$0 >> 6] & 1 << UInt64($0 & 63) != 0 } }

    /// The text of a column behind features `column=text`; a number or a truth value stands for how it is written, null for missing.
    func readText(
        _ scanner: inout JSONScanner, _ column: Int, into row: UnsafeMutablePointer<Float>
    ) throws(InputError) {
        for member in served.values.textColumns[column].members {
            let bit = 1 as UInt64 &<< UInt64(member.feature & 63)
            guard seen[member.feature &>> 6] & bit == 0 else { throw scanner.fault(.duplicateField) }
            seen[member.feature &>> 6] |= bit
        }
        let start = scanner.position
        switch scanner.current {
        case 0x6E:
            try scanner.scan(.null)
            served.values.set(row, column: column, text: UnsafeRawBufferPointer(start: nil, count: 0))
        case 0x22:
            let text = try scanner.scanString()
            served.values.set(row, column: column, text: scanner.decoded(text, scratch))
        default:
            guard scanner.isAtNumber else { throw try scanner.typeFault() }
            _ = try scanner.scanNumber()
            served.values.set(
                row, column: column,
                text: UnsafeRawBufferPointer(start: scanner.base + start, count: scanner.position - start))
        }
    }

    /// A category's value: its text, a number that stands for one, or null for missing.
    private func readCategory(
        _ scanner: inout JSONScanner, _ index: Int, into row: UnsafeMutablePointer<Float>
    ) throws(InputError) {
        let fault = InputError(.fieldType, field: .feature(index), position: scanner.position)
        switch scanner.current {
        case 0x6E:
            try scanner.scan(.null)
            row[index] = .nan
        case 0x22:
            let name = try scanner.scanString()
            guard let value = served.values.value(feature: index, text: text(scanner, name)) else { throw fault }
            row[index] = value
        default:
            guard scanner.isAtNumber else { throw fault }
            let number = try scanner.double(try scanner.scanNumber())
            guard let value = served.values.category(feature: index, number: number) else { throw fault }
            row[index] = value
        }
    }

    /// One feature's value: a number, true or false, or null for missing.
    @inline(__always)
    func readValue(
        _ scanner: inout JSONScanner, _ index: Int, into row: UnsafeMutablePointer<Float>
    ) throws(InputError) {
        let bit = 1 as UInt64 &<< UInt64(index & 63)
        guard seen[index &>> 6] & bit == 0 else { throw scanner.fault(.duplicateField) }
        seen[index &>> 6] |= bit
        if !served.isCategory.isEmpty, served.isCategory[index] { return try readCategory(&scanner, index, into: row) }
        if let short = scanner.scanShortNumber() {
            row[index] = Float(short)
            return
        }
        switch scanner.current {
        case 0x6E:
            try scanner.scan(.null)
            row[index] = .nan
        case 0x74:
            try scanner.scan(.true)
            row[index] = 1
        case 0x66:
            try scanner.scan(.false)
            row[index] = 0
        default:
            guard scanner.isAtNumber else { throw try scanner.typeFault() }
            let start = scanner.position
            let number = try scanner.scanNumber()
            let value = Float(try scanner.double(number))
            guard value.isFinite else { throw InputError(.numberOutOfRange, position: start) }
            row[index] = value
        }
    }

    func isFeature(_ bytes: UnsafeRawBufferPointer) -> Int { served.names.find(bytes, expected: 0) }

    /// The column of texts of a name, or −1.
    func isText(_ bytes: UnsafeRawBufferPointer) -> Int { served.textNames.find(bytes, expected: 0) }

    func text(_ scanner: JSONScanner, _ name: JSONScanner.Text) -> String {
        String(decoding: scanner.decoded(name, scratch), as: UTF8.self)
    }

    private func faultField(_ scanner: JSONScanner, _ name: JSONScanner.Text, _ place: String) -> String? {
        guard name.end > name.start else { return place.isEmpty ? nil : place }
        let own = String(text(scanner, name).prefix(100))
        return place.isEmpty ? own : "\(place).\(own)"
    }

    /// A user's id: a text or an integer, whose digits then stand for it. Appends it to `users`.
    func readUser(_ scanner: inout JSONScanner, field: String) throws(Problem) -> Range<Int> {
        let start = users.count
        do throws(InputError) {
            if scanner.current == 0x22 {
                scanner.decode(try scanner.scanString(), into: users)
            } else if scanner.isAtNumber {
                let number = try scanner.scanNumber()
                guard let id = scanner.integer(number) else { throw InputError(.fieldType, position: number.start) }
                users.append(id)
            } else {
                throw try scanner.typeFault()
            }
            if users.count == start { throw scanner.fault(.userIDEmpty) }
            if users.count - start > 256 { throw scanner.fault(.userIDTooLong) }
        } catch {
            throw Problem(error, field: field)
        }
        return start..<users.count
    }

    // MARK: Scoring

    /// Scores the first `count` rows.
    ///
    /// - Throws: `missing_feature` for a row that the model refuses.
    func score(_ count: Int, place: (Int) -> String) throws(Problem) {
        let refused = scorer.score(rows: rows, stride: model.rowStride, count: count, into: estimates)
        guard refused > 0 else { return }
        for row in 0..<count {
            guard let feature = scorer.refusedFeature(row: row) else { continue }
            let name = model.featureNames[feature]
            let at = place(row)
            throw Problem(
                422, "missing_feature", "\"\(name)\" has no value, and this model needs a number for every feature",
                field: at.isEmpty ? name : "\(at).\(name)")
        }
    }

    /// The estimate of an effect of a row that was scored.
    func estimate(_ row: Int, effect: Int) -> Estimate { estimates[row * model.effectCount + effect] }

    /// With several arms the one with the largest effect on the first outcome is decided on; the first of equals.
    func decidedEffect(_ row: Int) -> Int {
        let own = estimates + row * model.effectCount
        var best = 0
        for treatment in 1..<max(1, model.treatments.count) {
            let index = model.effectIndex(treatment: treatment, outcome: 0)
            if own[index].effect > own[best].effect { best = index }
        }
        return best
    }

    func decision(_ estimate: Estimate) -> Decision {
        if model.isResponse { return model.responseDecision(estimate.effect, outcome: 0, threshold: served.threshold) }
        let (lower, upper) = served.level.interval(estimate)
        return Decision(lower: lower, upper: upper, threshold: served.threshold)
    }

    /// Writes the score of a row as JSON.
    func write(
        _ row: Int, user: UnsafeRawBufferPointer?, time: Int64? = nil, type: UnsafeRawBufferPointer? = nil,
        effect: Int? = nil, into out: ByteBuffer
    ) {
        let own = estimates + row * model.effectCount
        for index in 0..<model.effectCount {
            let (lower, upper) = served.level.interval(own[index])
            effects[index] = ScoreWriter.Effect(
                uplift: own[index].effect, standardError: own[index].standardError, lower: lower, upper: upper)
        }
        let decided = effect ?? decidedEffect(row)
        writer.write(
            user: user, time: time, type: type,
            effects: UnsafeBufferPointer(start: effects, count: model.effectCount), decided: decided,
            decision: Int(decision(own[decided]).rawValue), into: out)
    }

    /// What folds events into a row.
    func folding() throws(Problem) -> UserFold {
        if let fold { return fold }
        do throws(ImpactError) {
            let made = try UserFold(model: model)
            fold = made
            return made
        } catch {
            throw Problem(
                422, error.code, "this model holds no feature specification, so it can score features only, not events",
                field: "events")
        }
    }
}
