import Attribution
import Base
import CZlib
import Foundation
import JSON

/// Reads files of an IHC API's answers.
package enum IHCResults {
    /// - Parameter path: a JSON file, or one compressed by gzip.
    package static func read(_ path: String, clock: LocalClock) throws(ImpactError) -> [IHCAnswer] {
        try parse(try bytes(path), name: path, clock: clock)
    }

    package static func parse(_ bytes: [UInt8], name: String, clock: LocalClock) throws(ImpactError) -> [IHCAnswer] {
        let document = try JSONValue(parsing: bytes, name: name, maxBytes: 1 << 30)
        guard let items = (document.array ?? document["value"]?.array ?? document["results"]?.array) else {
            throw fail(name, "it must be a list of journeys with their sessions, or of sessions")
        }
        var clock = clock
        var channels = ChannelTable()
        var order: [String] = []
        var sessions: [String: [JSONValue]] = [:]
        for (index, item) in items.enumerated() {
            guard let id = text(item["conversion_id"] ?? item["conv_id"]) else {
                throw fail(name, "item \(index + 1) has no conversion_id")
            }
            if sessions[id] == nil { order.append(id) }
            sessions[id, default: []] += item["sessions"]?.array ?? [item]
        }
        var answers: [IHCAnswer] = []
        for id in order {
            var rows: [(touch: Touch, phases: IHCModel.Phases, credit: Double)] = []
            for session in sessions[id] ?? [] {
                rows.append(try row(session, id, name, &clock, &channels))
            }
            rows.sort { ($0.touch.time, $0.touch.session) < ($1.touch.time, $1.touch.session) }
            let sum = rows.reduce(0) { $0 + $1.credit }
            guard abs(sum - 1) <= 0.01, rows.allSatisfy({ $0.credit >= -1e-6 }) else {
                throw fail(
                    name, "conversion \(id): its ihc add up to \(sum), or one is negative; a journey's add up to 1")
            }
            answers.append(
                IHCAnswer(id: id, touches: rows.map(\.touch), phases: rows.map(\.phases), credit: rows.map(\.credit)))
        }
        return answers
    }

    private static func row(
        _ session: JSONValue, _ id: String, _ name: String, _ clock: inout LocalClock, _ channels: inout ChannelTable
    ) throws(ImpactError) -> (touch: Touch, phases: IHCModel.Phases, credit: Double) {
        func number(_ member: String) throws(ImpactError) -> Double {
            guard let value = session[member]?.number, value.isFinite else {
                throw fail(name, "conversion \(id): a session has no number '\(member)'")
            }
            return value
        }
        guard let key = text(session["session_id"]), let time = session["timestamp"]?.string,
            let reading = clock.read(date: nil, time: time)
        else { throw fail(name, "conversion \(id): a session has no session_id or no timestamp that can be read") }
        var flags: Touch.Flags = []
        if try number("holder_engagement") != 0 { flags.insert(.holderEngagement) }
        if try number("closer_engagement") != 0 { flags.insert(.closerEngagement) }
        let touch = Touch(
            session: key, channel: channels.number(of: session["channel_label"]?.string ?? ""), time: reading.time,
            flags: flags)
        let phases = IHCModel.Phases(
            initializer: try number("initializer"), holder: try number("holder"), closer: try number("closer"))
        return (touch, phases, try number("ihc"))
    }

    private static func text(_ value: JSONValue?) -> String? {
        value?.string ?? value?.number.map { Int(exactly: $0).map(String.init) ?? "\($0)" }
    }

    private static func fail(_ name: String, _ what: String) -> ImpactError {
        ImpactError(.badInput, code: "ihc_results", "\(name): \(what)")
    }

    private static func bytes(_ path: String) throws(ImpactError) -> [UInt8] {
        // gzopen reads plain files too.
        guard let file = gzopen(path, "rb") else {
            throw ImpactError(
                .badInput, code: "file_not_readable", "cannot read \(path): \(String(cString: strerror(errno)))")
        }
        defer { gzclose(file) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = gzread(file, &buffer, UInt32(buffer.count))
            guard count >= 0 else { throw fail(path, "the compressed file is damaged") }
            if count == 0 { return bytes }
            bytes.append(contentsOf: buffer[..<Int(count)])
            guard bytes.count < 1 << 30 else { throw fail(path, "it holds more than 1 GiB") }
        }
    }
}
