import Base
import Events

/// Writes the simulation's events as JSON messages, byte by byte, without allocating.
struct TrialEventWriter: Sendable {
    private let seed: UInt64
    private let treatmentPrefix: [UInt8]
    private let armAd: [UInt8]
    private let armControl: [UInt8]

    init(settings: TrialSettings) {
        seed = settings.seed
        treatmentPrefix = Array(#","treatment":{"experiment_id":"\#(settings.experiment)","arm":""#.utf8)
        armAd = Array(#"ad","propensity":\#(settings.propensity)}"#.utf8)
        armControl = Array(#"control","propensity":\#(1 - settings.propensity)}"#.utf8)
    }

    /// More than the longest message takes, with an experiment's name of 64 bytes.
    private static let longestMessage = 768

    func write(_ event: PendingEvent, into buffer: ByteBuffer) -> GeneratedEvent {
        let user = TrialUser(seed: seed, index: Int(event.user))
        let start = buffer.count
        var out = MessageCursor(buffer.reserve(Self.longestMessage), capacity: Self.longestMessage)
        out.append(#"{"id":"e-"#)
        out.append(decimal: event.id)
        out.append(#"","user_id":""#)
        let keyStart = start + out.count
        out.append("u-")
        out.append(decimal: UInt64(event.user))
        let keyEnd = start + out.count
        out.append(#"","type":""#)
        out.append(event.kind.name)
        out.append(#"","time":""#)
        out.append(rfc3339: event.time)
        out.append("\"")
        writeContext(event, user, &out)
        writeProperties(user, &out)
        out.append("}")
        buffer.advance(out.count)
        return GeneratedEvent(
            key: keyStart..<keyEnd, value: start..<buffer.count, time: event.time, user: Int(event.user),
            kind: event.kind,
            isDuplicate: event.isDuplicate, isTreated: event.kind == .treatment && event.arm == 1,
            isConverted: event.kind == .treatment && event.outcome == 1)
    }

    /// What belongs to the event's type.
    private func writeContext(_ event: PendingEvent, _ user: TrialUser, _ out: inout MessageCursor) {
        switch event.kind {
        case .adView:
            writeCampaign(event.campaign, &out)
        case .click:
            if event.campaign > 0 { writeCampaign(event.campaign, &out) } else { out.append(#","channel":"site""#) }
        case .pageView:
            out.append(#","channel":"site""#)
        case .addToCart, .purchase, .refund:
            out.append(#","channel":"site","value":"#)
            out.append(cents: UInt64(event.cents))
            out.append(#","currency":"USD""#)
        case .treatment:
            out.append(treatmentPrefix)
            out.append(event.arm == 1 ? armAd : armControl)
        }
    }

    private func writeCampaign(_ campaign: UInt16, _ out: inout MessageCursor) {
        out.append(#","campaign_id":"c-"#)
        out.append(decimal: UInt64(campaign))
        switch campaign % 4 {
        case 0: out.append(#"","channel":"search""#)
        case 1: out.append(#"","channel":"social""#)
        case 2: out.append(#"","channel":"display""#)
        default: out.append(#"","channel":"video""#)
        }
    }

    private func writeProperties(_ user: TrialUser, _ out: inout MessageCursor) {
        out.append(#","properties":{"device_type":""#)
        out.append(user.device.name)
        out.append(#"","acquired_by":""#)
        out.append(user.acquiredBy.name)
        out.append(#"","recency":"#)
        out.append(decimal: UInt64(user.recency))
        out.append(#","history":"#)
        out.append(cents: UInt64(user.historyCents))
        out.append(#","tenure":"#)
        out.append(decimal: UInt64(user.tenure))
        out.append(user.newsletter ? #","newsletter":true}"# : #","newsletter":false}"#)
    }
}

extension TrialEventWriter {
    /// One of the ways in which messages go wrong, in turn.
    func writeInvalid(number: UInt64, time: Int64, into buffer: ByteBuffer) -> GeneratedEvent {
        let start = buffer.count
        var out = MessageCursor(buffer.reserve(Self.longestMessage), capacity: Self.longestMessage)
        out.append(#"{"id":"x-"#)
        out.append(decimal: number)
        switch number % 8 {
        case 0: out.append(#"","user_id":"u-1","type":"click","time":"yesterday"}"#)
        case 1: out.append(#"","type":"click","time":1767225600000}"#)
        case 2: out.append(#"","user_id":"u-1","type":"click","ti"#)
        case 3: out.append(#"","user_id":["u-1"],"type":"click","time":1767225600000}"#)
        case 4: out.append(#"","user_id":"u-1","type":"click","time":1767225600000,"value":1e999}"#)
        case 5: out.append(#"","user_id":"u-1","time":1767225600000}"#)
        case 6:
            // 0xFF stands in no UTF-8 text.
            out.append(#"","user_id":"u-"#)
            out.append(byte: 0xFF)
            out.append(#"","type":"click","time":1767225600000}"#)
        default: out.append(#"","user_id":"","type":"click","time":1767225600000}"#)
        }
        buffer.advance(out.count)
        return GeneratedEvent(
            key: start..<start, value: start..<buffer.count, time: time, user: -1, kind: nil, isDuplicate: false,
            isTreated: false, isConverted: false)
    }
}
