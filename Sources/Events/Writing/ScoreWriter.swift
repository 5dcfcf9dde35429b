/// Writes scores as JSON with the contract's fixed field order.
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
    private let names: [ByteRange]
    private let level: ByteRange
    private let decisions: [ByteRange]
    private let model: ByteRange
    private let topics: [ByteRange]
    private let constants = ByteBuffer()

    private struct ByteRange { var range: Range<Int> }

    /// - Parameters:
    ///   - effects: treatment and outcome of each effect, in the order in which effects are given.
    ///   - decisions: the texts of the decisions by number.
    ///   - topics: the input topics by number.
    public init(
        effects: [EffectName], level: Double, decisions: [String], model: String, version: String, sha256: String,
        topics: [String]
    ) {
        let constants = self.constants
        func render(_ body: () -> Void) -> ByteRange {
            let start = constants.count
            body()
            return ByteRange(range: start..<constants.count)
        }
        effectCount = effects.count
        names = effects.map { name in
            render {
                constants.append(#""treatment":"#)
                constants.appendJSONString(name.treatment)
                constants.append(#","outcome":"#)
                constants.appendJSONString(name.outcome)
                constants.append(#","uplift":"#)
            }
        }
        self.level = render {
            constants.append(#","ci_level":"#)
            constants.append(level)
            constants.append(#","decision":"#)
        }
        self.decisions = decisions.map { text in render { constants.appendJSONString(text) } }
        self.model = render {
            constants.append(#","model":"#)
            constants.appendJSONString(model)
            constants.append(#","model_version":"#)
            constants.appendJSONString(version)
            constants.append(#","model_sha256":"#)
            constants.appendJSONString(sha256)
        }
        self.topics = topics.map { text in
            render {
                constants.append(#","source":{"topic":"#)
                constants.appendJSONString(text)
                constants.append(#","partition":"#)
            }
        }
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
        precondition(effects.count == effectCount && decided < effectCount)
        out.append(#"{"user_id":"#)
        out.appendJSONString(batch.bytes(event.user), needsEscape: event.user.needsEscape)
        out.append(#","time":"#)
        out.append(event.time)
        out.append(#","event_type":"#)
        out.appendJSONString(batch.bytes(event.typeText), needsEscape: event.typeText.needsEscape)
        out.append(UInt8(ascii: ","))
        append(effects[decided], named: decided, to: out)
        append(level, to: out)
        append(decisions[decision], to: out)
        append(model, to: out)
        append(topics[Int(event.source.topic)], to: out)
        out.append(Int64(event.source.partition))
        out.append(#","offset":"#)
        out.append(event.source.offset)
        out.append(UInt8(ascii: "}"))
        if effectCount > 1 { appendAll(effects, to: out) }
        out.append(UInt8(ascii: "}"))
    }

    private func append(_ effect: Effect, named index: Int, to out: ByteBuffer) {
        append(names[index], to: out)
        out.append(effect.uplift)
        out.append(#","std_error":"#)
        out.append(effect.standardError)
        out.append(#","ci_lower":"#)
        out.append(effect.lower)
        out.append(#","ci_upper":"#)
        out.append(effect.upper)
    }

    /// `effects` comes last, so that readers of the fixed order find the common fields where they always are.
    private func appendAll(_ effects: UnsafeBufferPointer<Effect>, to out: ByteBuffer) {
        out.append(#","effects":["#)
        for i in 0..<effects.count {
            out.append(i == 0 ? "{" : ",{")
            append(effects[i], named: i, to: out)
            out.append(UInt8(ascii: "}"))
        }
        out.append(UInt8(ascii: "]"))
    }

    @inline(__always)
    private func append(_ constant: ByteRange, to out: ByteBuffer) { out.append(constants.bytes(constant.range)) }
}
