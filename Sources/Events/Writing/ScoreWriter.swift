import Base
import JSON

/// Writes scores as JSON with the contract's fixed field order; `effects`, which only several effects have, comes last, so
/// that readers of the fixed order find the common fields where they always are.
///
/// What is the same for every score of a run (names, level, model, topic) is rendered once. One thread at a time.
public final class ScoreWriter {
    /// One effect with its interval.
    public struct Effect: Sendable, BitwiseCopyable {
        public var uplift: Double
        public var standardError: Double
        public var lower: Double
        public var upper: Double

        public init(uplift: Double, standardError: Double, lower: Double, upper: Double) {
            self.uplift = uplift
            self.standardError = standardError
            self.lower = lower
            self.upper = upper
        }
    }

    /// Treatment and outcome that an effect belongs to.
    public struct EffectName: Sendable, Equatable {
        public var treatment: String
        public var outcome: String

        public init(treatment: String, outcome: String) {
            self.treatment = treatment
            self.outcome = outcome
        }
    }

    private let effectCount: Int
    /// Whether each number stands a second time under a name of its own: that of a model of the outcome itself.
    private let isResponse: Bool
    /// `"treatment":…,"outcome":…,"uplift":` of each effect.
    private let names: RenderedTexts
    /// `,"ci_level":…,"decision":…,"model":…,"model_version":…,"model_sha256":…` of each decision.
    private let decisions: RenderedTexts
    /// `,"source":{"topic":…,"partition":` of each input topic.
    private let topics: RenderedTexts
    /// The names of the members between a score's values.
    private let members: RenderedTexts
    /// Room that any score takes, its user's id and its type aside.
    private let roomWithoutTexts: Int

    private enum Member: Int, CaseIterable {
        case user, time, eventType, comma, standardError, lower, upper, offset, end, effects, firstEffect, nextEffect
        case response

        func text(_ response: String?) -> String {
            switch self {
            case .user: #"{"user_id":""#
            case .time: #"","time":"#
            case .eventType: #","event_type":""#
            case .comma: "\","
            case .standardError: #","std_error":"#
            case .lower: #","ci_lower":"#
            case .upper: #","ci_upper":"#
            case .offset: #","offset":"#
            case .end: "}"
            case .effects: #","effects":["#
            case .firstEffect: "{"
            case .nextEffect: ",{"
            case .response: ",\"\(response ?? "")\":"
            }
        }
    }

    /// - Parameters:
    ///   - effects: treatment and outcome of each effect, in the order in which effects are given.
    ///   - decisions: the texts of the decisions by number.
    ///   - topics: the input topics by number.
    ///   - response: `probability` or `prediction` for a model that predicts the outcome instead of an effect on it: the
    ///     number then stands under this name too, last among the members, so that nobody takes it for an uplift.
    public init(
        effects: [EffectName], level: Double, decisions: [String], model: String, version: String, sha256: String,
        topics: [String], response: String? = nil
    ) {
        effectCount = effects.count
        isResponse = response != nil
        names = RenderedTexts(effects.count) { i, out in
            out.append(#""treatment":"#)
            out.appendJSONString(effects[i].treatment)
            out.append(#","outcome":"#)
            out.appendJSONString(effects[i].outcome)
            out.append(#","uplift":"#)
        }
        self.decisions = RenderedTexts(decisions.count) { i, out in
            out.append(#","ci_level":"#)
            out.append(level)
            out.append(#","decision":"#)
            out.appendJSONString(decisions[i])
            out.append(#","model":"#)
            out.appendJSONString(model)
            out.append(#","model_version":"#)
            out.appendJSONString(version)
            out.append(#","model_sha256":"#)
            out.appendJSONString(sha256)
        }
        self.topics = RenderedTexts(topics.count) { i, out in
            out.append(#","source":{"topic":"#)
            out.appendJSONString(topics[i])
            out.append(#","partition":"#)
        }
        let members = Member.allCases
        self.members = RenderedTexts(members.count) { i, out in out.append(Array(members[i].text(response).utf8)) }
        // An effect: its names, four numbers of at most 32 bytes, three member names and two braces.
        let effect = names.longest + 5 * 32 + 80
        roomWithoutTexts =
            (1 + effects.count) * effect + self.decisions.longest + self.topics.longest + 256 + RenderedTexts.overshoot
    }

    /// Appends one score.
    ///
    /// - Parameters:
    ///   - event: the event that triggered it; its texts are in `batch`.
    ///   - effects: one an effect name.
    ///   - decided: which of them the decision is about; it stands at the top level, and `effects` lists all when there
    ///     are several.
    public func write(
        _ event: Event, of batch: EventBatch, effects: UnsafeBufferPointer<Effect>, decided: Int, decision: Int,
        into out: ByteBuffer
    ) {
        precondition(effects.count == effectCount && decided >= 0 && decided < effectCount)
        let user = batch.bytes(event.user), type = batch.bytes(event.typeText)
        let start = out.reserve(roomWithoutTexts + 6 * (user.count + type.count))
        var cursor = start
        append(.user, to: &cursor)
        cursor.appendJSON(user, needsEscape: event.user.needsEscape)
        append(.time, to: &cursor)
        cursor += cursor.writeDecimal(event.time)
        append(.eventType, to: &cursor)
        cursor.appendJSON(type, needsEscape: event.typeText.needsEscape)
        append(.comma, to: &cursor)
        append(effects[decided], named: decided, to: &cursor)
        decisions.copy(decision, to: &cursor)
        topics.copy(Int(event.source.topic), to: &cursor)
        cursor += cursor.writeDecimal(Int64(event.source.partition))
        append(.offset, to: &cursor)
        cursor += cursor.writeDecimal(event.source.offset)
        append(.end, to: &cursor)
        if isResponse { appendResponse(effects[decided], to: &cursor) }
        if effectCount > 1 { appendAll(effects, to: &cursor) }
        append(.end, to: &cursor)
        out.advance(cursor - start)
    }

    /// Appends a score without a source: of an answer to a request, not of a record. The other members are those of the
    /// topic, in its order, and their texts are equal byte for byte.
    ///
    /// - Parameters:
    ///   - user: UTF-8 of the user's id; nil when nobody was named.
    ///   - time: of the event that the score stands for, milliseconds since 1970; nil without events.
    ///   - type: UTF-8 of that event's type.
    public func write(
        user: UnsafeRawBufferPointer?, time: Int64?, type: UnsafeRawBufferPointer?,
        effects: UnsafeBufferPointer<Effect>, decided: Int, decision: Int, into out: ByteBuffer
    ) {
        precondition(effects.count == effectCount && decided >= 0 && decided < effectCount)
        out.append("{")
        if let user {
            out.append("\"user_id\":")
            out.appendJSONString(user)
            out.append(",")
        }
        if let time, let type {
            out.append("\"time\":")
            out.append(time)
            out.append(",\"event_type\":")
            out.appendJSONString(type)
            out.append(",")
        }
        let start = out.reserve(roomWithoutTexts)
        var cursor = start
        append(effects[decided], named: decided, to: &cursor)
        decisions.copy(decision, to: &cursor)
        if isResponse { appendResponse(effects[decided], to: &cursor) }
        if effectCount > 1 { appendAll(effects, to: &cursor) }
        append(.end, to: &cursor)
        out.advance(cursor - start)
    }

    @inline(__always)
    private func append(_ effect: Effect, named index: Int, to cursor: inout UnsafeMutablePointer<UInt8>) {
        names.copy(index, to: &cursor)
        cursor += cursor.writeJSON(effect.uplift)
        append(.standardError, to: &cursor)
        cursor += cursor.writeJSON(effect.standardError)
        append(.lower, to: &cursor)
        cursor += cursor.writeJSON(effect.lower)
        append(.upper, to: &cursor)
        cursor += cursor.writeJSON(effect.upper)
    }

    private func appendResponse(_ effect: Effect, to cursor: inout UnsafeMutablePointer<UInt8>) {
        append(.response, to: &cursor)
        cursor += cursor.writeJSON(effect.uplift)
    }

    private func appendAll(_ effects: UnsafeBufferPointer<Effect>, to cursor: inout UnsafeMutablePointer<UInt8>) {
        append(.effects, to: &cursor)
        for i in 0..<effects.count {
            append(i == 0 ? .firstEffect : .nextEffect, to: &cursor)
            append(effects[i], named: i, to: &cursor)
            if isResponse { appendResponse(effects[i], to: &cursor) }
            append(.end, to: &cursor)
        }
        cursor.pointee = UInt8(ascii: "]")
        cursor += 1
    }

    @inline(__always)
    private func append(_ member: Member, to cursor: inout UnsafeMutablePointer<UInt8>) {
        members.copy(member.rawValue, to: &cursor)
    }
}
