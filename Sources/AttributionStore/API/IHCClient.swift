import Attribution
import Base
import Foundation
import JSON

/// Asks an IHC API for the credit of journeys: `POST compute_ihc` with an `x-api-key`.
package final class IHCClient {
    package static let maximumJourneys = 100
    package static let maximumSessions = 3_000

    package struct Settings: Sendable {
        /// The whole URL, with its query.
        package var url: String
        package var key: String
        /// Milliseconds for one call.
        package var timeout = 60_000
        /// Tries of one call before the run gives up.
        package var attempts = 8
        /// Milliseconds before the second try; doubled each time, at most a minute.
        package var backOff = 500.0
        /// Milliseconds that the API may ask to wait; more ends the run.
        package var patience = 600_000.0

        package init(url: String, key: String) {
            self.url = url
            self.key = key
        }

        /// - Throws: `insecure_url` for plain HTTP to another machine: the key and users' journeys would be readable.
        package func check() throws(ImpactError) {
            guard !url.utf8.contains(where: { $0 <= 0x20 || $0 == 0x7F }) else {
                throw ImpactError(
                    .usage, code: "invalid_url",
                    "--url '\(url)' has a space or a control character: write a space as %20")
            }
            guard let parsed = URL(string: url), let host = parsed.host(), !host.isEmpty else {
                throw ImpactError(
                    .usage, code: "invalid_url", "--url '\(url)' is no URL: write https://HOST/…/compute_ihc")
            }
            let isLocal = ["127.0.0.1", "localhost", "::1"].contains(host)
            guard parsed.scheme == "https" || (parsed.scheme == "http" && isLocal) else {
                throw ImpactError(
                    .usage, code: "insecure_url",
                    "--url '\(url)': journeys and the key go over https only (http is allowed to this machine)")
            }
            guard !key.isEmpty, key.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
                throw ImpactError(
                    .usage, code: "invalid_key", "the API key is empty or has characters that no header may have")
            }
        }
    }

    /// The answer to one call.
    package struct Answer {
        /// Credit of each session, by conversion; only conversions whose answer is whole.
        package var credit: [String: [String: Double]] = [:]
        /// Conversions without a usable answer, and why.
        package var failed: [(id: String, why: String)] = []
    }

    private let settings: Settings
    private let http: HTTPPost
    private let channels: ChannelTable
    /// Replaced by tests: no test waits.
    private let sleep: (Double) -> Void
    /// Is told of waits: how long in milliseconds, and why.
    package var onWait: ((Double, String) -> Void)?
    package private(set) var calls = 0
    package private(set) var retries = 0

    package init(
        _ settings: Settings, channels: ChannelTable,
        sleep: @escaping (Double) -> Void = { usleep(UInt32(min($0, 4e6) * 1_000)) }
    ) throws(ImpactError) {
        try settings.check()
        self.settings = settings
        self.channels = channels
        self.sleep = sleep
        http = try HTTPPost()
    }

    /// Sends journeys, no more than a call may have.
    ///
    /// - Throws: when the API refuses the call (a wrong key, a wrong request) or gives no answer after all attempts.
    package func compute(_ journeys: [Journey]) throws(ImpactError) -> Answer {
        let body = Array(request(journeys).utf8)
        let headers = [
            "x-api-key: \(settings.key)", "Content-Type: application/json", "Accept: application/json", "Expect:",
        ]
        var wait = settings.backOff
        var said = ""
        var refusal: Int?
        var patienceEnds: Double?
        for attempt in 1...max(1, settings.attempts) {
            if attempt > 1 {
                retries += 1
                onWait?(wait, said)
                sleep(wait)
                wait = min(wait * 2, 60_000)
            }
            do throws(HTTPPost.TransportError) {
                calls += 1
                let response = try http.post(settings.url, headers: headers, body: body, timeout: settings.timeout)
                switch response.status {
                case 200, 206:
                    if let answer = read(response.body, journeys) { return answer }
                    said = "an answer that is no JSON of the expected shape"
                case 408, 425, 429, 500...599:
                    said = "status \(response.status)"
                    guard let seconds = response.retryAfter else { break }
                    if seconds * 1_000 > settings.patience {
                        patienceEnds = seconds
                    } else {
                        wait = max(wait, seconds * 1_000)
                    }
                case 204: said = "status 204, which has no answer"
                default: refusal = response.status
                }
            } catch {
                said = error.message
                guard error.isPassing else { throw failed("the IHC API cannot be called: \(said)", "invalid_url") }
            }
            if let seconds = patienceEnds {
                throw failed(
                    "the IHC API asks to wait \(Int(saturating: seconds.rounded(.up))) s (\(said)), longer than --patience. "
                        + "Run the same command again then", "ihc_api_wait")
            }
            if let status = refusal {
                let hint = status == 401 || status == 403 ? "check the key" : "check the URL and the conversion type"
                throw failed("the IHC API refuses the call with status \(status): \(hint)", "ihc_api_refused")
            }
        }
        throw ImpactError(
            .failed, code: "ihc_api_failed",
            "the IHC API gave no answer in \(settings.attempts) tries (the last: \(said)). What was answered before is kept; "
                + "run the same command again to go on")
    }

    private func failed(_ what: String, _ code: String) -> ImpactError {
        ImpactError(.failed, code: code, "\(what). What was answered before is kept")
    }

    /// Cuts journeys into calls: at most 100 journeys and 3,000 sessions each.
    package static func calls(_ journeys: [Journey]) -> [[Journey]] {
        var calls: [[Journey]] = []
        var call: [Journey] = []
        var sessions = 0
        for journey in journeys {
            if call.count == maximumJourneys || (!call.isEmpty && sessions + journey.touches.count > maximumSessions) {
                calls.append(call)
                call = []
                sessions = 0
            }
            call.append(journey)
            sessions += journey.touches.count
        }
        if !call.isEmpty { calls.append(call) }
        return calls
    }

    // MARK: Wire

    func request(_ journeys: [Journey]) -> String {
        var text = "{\"customer_journeys\":["
        var isFirst = true
        for journey in journeys {
            for (index, touch) in journey.touches.enumerated() {
                if !isFirst { text += "," }
                isFirst = false
                text += "{\"conversion_id\":\(Self.quote(journey.conversion?.id ?? ""))"
                text += ",\"session_id\":\(Self.quote(touch.session))"
                text += ",\"timestamp\":\"\(Self.timestamp(touch.time))\""
                text += ",\"channel_label\":\(Self.quote(channels[touch.channel]))"
                text += ",\"holder_engagement\":\(touch.flags.contains(.holderEngagement) ? 1 : 0)"
                text += ",\"closer_engagement\":\(touch.flags.contains(.closerEngagement) ? 1 : 0)"
                text += ",\"conversion\":\(index == journey.touches.count - 1 ? 1 : 0)"
                text += ",\"impression_interaction\":\(touch.flags.contains(.impression) ? 1 : 0)}"
            }
        }
        return text + "]}"
    }

    private static func timestamp(_ time: Int64) -> String {
        let day = Int32((time >= 0 ? time : time - 86_399_999) / 86_400_000)
        let second = Int((time - Int64(day) * 86_400_000) / 1_000)
        func two(_ value: Int) -> String { value < 10 ? "0\(value)" : "\(value)" }
        return "\(CivilDay.text(day)) \(two(second / 3_600)):\(two(second / 60 % 60)):\(two(second % 60))"
    }

    private static func quote(_ text: String) -> String {
        var out = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": out += "\\\""
            case "\\": out += "\\\\"
            case "\u{00}"..."\u{1F}":
                let hex = String(scalar.value, radix: 16)
                out += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
            default: out.unicodeScalars.append(scalar)
            }
        }
        return out + "\""
    }

    /// Reads an answer; nil when it has not the expected shape at all.
    private func read(_ body: [UInt8], _ journeys: [Journey]) -> Answer? {
        guard let document = try? JSONValue(parsing: body, name: "answer", maxBytes: 256 << 20),
            let rows = (document["value"] ?? document["results"])?.array ?? document.array
        else { return nil }
        var credit: [String: [String: Double]] = [:]
        var repeated: Set<String> = []
        var unnumbered: Set<String> = []
        for row in rows {
            guard let id = Self.text(row["conversion_id"]), let session = Self.text(row["session_id"]) else { continue }
            guard let value = row["ihc"]?.number, value.isFinite else {
                unnumbered.insert(id)
                continue
            }
            if credit[id]?[session] != nil { repeated.insert(id) }
            credit[id, default: [:]][session] = value
        }
        var answer = Answer()
        for journey in journeys {
            let id = journey.conversion?.id ?? ""
            let given = credit[id] ?? [:]
            let sum = given.values.reduce(0, +)
            if unnumbered.contains(id) {
                answer.failed.append((id, "a session has no number 'ihc'"))
            } else if given.isEmpty {
                answer.failed.append((id, "no answer"))
            } else if repeated.contains(id) {
                answer.failed.append((id, "the answer names a session twice"))
            } else if Set(given.keys) != Set(journey.touches.map(\.session)) {
                answer.failed.append((id, "the answer names other sessions than the journey"))
            } else if let value = given.values.first(where: { $0 < -1e-6 }) {
                answer.failed.append((id, "a session's credit is \(value), below 0"))
            } else if abs(sum - 1) > 0.01 {
                answer.failed.append((id, "the credit adds up to \(sum), not to 1"))
            } else {
                answer.credit[id] = given
            }
        }
        return answer
    }

    private static func text(_ value: JSONValue?) -> String? {
        value?.string ?? value?.number.map { Int(exactly: $0).map(String.init) ?? "\($0)" }
    }
}
