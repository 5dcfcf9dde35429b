import Base
import JSON

/// One event with its texts, for writing: exports, and events made from other data. Reading goes through ``EventBatch``,
/// which needs no `String`.
public struct EventRecord: Sendable, Equatable {
    /// An assignment that an experiment logged.
    public struct Treatment: Sendable, Equatable {
        public var experimentID: String?
        public var arm: String
        /// Probability of this arm, in (0, 1].
        public var propensity: Double?

        public init(experimentID: String? = nil, arm: String, propensity: Double? = nil) {
            self.experimentID = experimentID
            self.arm = arm
            self.propensity = propensity
        }
    }

    /// What a property may hold.
    public enum Value: Sendable, Equatable {
        case number(Double)
        case text(String)
        case bool(Bool)
    }

    /// A member of `properties`.
    public struct Property: Sendable, Equatable {
        public var name: String
        public var value: Value

        public init(_ name: String, _ value: Value) {
            self.name = name
            self.value = value
        }
    }

    public var id: String?
    public var userID: String
    public var type: String
    /// Milliseconds since 1970 UTC, in the years 1970 to 2199 (``EventLimits/timeRange``).
    public var time: Int64
    public var campaignID: String?
    public var channel: String?
    public var value: Double?
    public var currency: String?
    public var treatment: Treatment?
    public var properties: [Property] = []

    public init(userID: String, type: String, time: Int64) {
        self.userID = userID
        self.type = type
        self.time = time
    }

    /// Appends the event as JSON, its members in the contract's order; the time is RFC 3339 in UTC with milliseconds.
    public func write(into out: ByteBuffer) {
        out.append("{")
        if let id {
            out.append(#""id":"#)
            out.appendJSONString(id)
            out.append(",")
        }
        out.append(#""user_id":"#)
        out.appendJSONString(userID)
        out.append(#","type":"#)
        out.appendJSONString(type)
        out.append(#","time":""#)
        out.appendRFC3339(time)
        out.append("\"")
        append(#","campaign_id":"#, campaignID, to: out)
        append(#","channel":"#, channel, to: out)
        if let value {
            out.append(#","value":"#)
            out.append(value)
        }
        append(#","currency":"#, currency, to: out)
        writeTreatment(into: out)
        writeProperties(into: out)
        out.append("}")
    }

    private func append(_ name: StaticString, _ text: String?, to out: ByteBuffer) {
        guard let text else { return }
        out.append(name)
        out.appendJSONString(text)
    }

    private func writeTreatment(into out: ByteBuffer) {
        guard let treatment else { return }
        out.append(#","treatment":{"#)
        if let experiment = treatment.experimentID {
            out.append(#""experiment_id":"#)
            out.appendJSONString(experiment)
            out.append(",")
        }
        out.append(#""arm":"#)
        out.appendJSONString(treatment.arm)
        if let propensity = treatment.propensity {
            out.append(#","propensity":"#)
            out.append(propensity)
        }
        out.append("}")
    }

    private func writeProperties(into out: ByteBuffer) {
        guard !properties.isEmpty else { return }
        out.append(#","properties":{"#)
        for (i, property) in properties.enumerated() {
            if i > 0 { out.append(",") }
            out.appendJSONString(property.name)
            out.append(":")
            switch property.value {
            case .number(let number): out.append(number)
            case .text(let text): out.appendJSONString(text)
            case .bool(let truth): out.append(truth ? "true" : "false")
            }
        }
        out.append("}")
    }
}
