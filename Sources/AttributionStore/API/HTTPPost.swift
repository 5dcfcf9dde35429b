import Base
import CCurl
import Foundation

/// One connection of libcurl that posts JSON. For one thread.
final class HTTPPost {
    struct Response {
        var status: Int
        var body: [UInt8]
        /// Seconds that the server asks to wait.
        var retryAfter: Double?
    }

    /// A request that got no answer: a time-out, a connection that broke.
    struct TransportError: Error {
        var message: String
    }

    /// What the callbacks write into.
    private final class Target {
        var body: [UInt8] = []
        var retryAfter: Double?
        var isTooLarge = false
    }

    private static let largest = 256 << 20
    private static let isStarted = ccurl_start() == 0
    private let easy: UnsafeMutableRawPointer

    init() throws(ImpactError) {
        guard Self.isStarted, let easy = curl_easy_init() else {
            throw ImpactError(.failed, code: "http_failed", "libcurl does not start")
        }
        self.easy = easy
    }

    deinit { curl_easy_cleanup(easy) }

    /// - Parameter timeout: milliseconds for the whole exchange.
    func post(_ url: String, headers: [String], body: [UInt8], timeout: Int) throws(TransportError) -> Response {
        let target = Target()
        var list: UnsafeMutablePointer<curl_slist>?
        for header in headers { list = curl_slist_append(list, header) }
        defer { curl_slist_free_all(list) }
        curl_easy_reset(easy)
        ccurl_set_text(easy, CURLOPT_URL, url)
        ccurl_set_text(easy, CURLOPT_PROTOCOLS_STR, "http,https")
        ccurl_set_long(easy, CURLOPT_FOLLOWLOCATION, 0)
        ccurl_set_long(easy, CURLOPT_NOSIGNAL, 1)
        ccurl_set_long(easy, CURLOPT_TIMEOUT_MS, timeout)
        ccurl_set_long(easy, CURLOPT_CONNECTTIMEOUT_MS, min(timeout, 10_000))
        ccurl_set_long(easy, CURLOPT_POST, 1)
        ccurl_set_list(easy, CURLOPT_HTTPHEADER, list)
        ccurl_set_size(easy, CURLOPT_POSTFIELDSIZE_LARGE, curl_off_t(body.count))
        // Borrowed by the handle until the exchange below is over.
        let pointer = Unmanaged.passUnretained(target).toOpaque()
        ccurl_set_write(easy, receive, pointer)
        ccurl_set_header(easy, receiveHeader, pointer)
        let code = body.withUnsafeBytes { bytes in
            ccurl_set_pointer(easy, CURLOPT_POSTFIELDS, bytes.baseAddress)
            return curl_easy_perform(easy)
        }
        // The callbacks keep no reference of their own.
        withExtendedLifetime(target) {}
        guard code == CURLE_OK else {
            throw TransportError(
                message: target.isTooLarge
                    ? "the answer is larger than 256 MiB" : String(cString: curl_easy_strerror(code)))
        }
        return Response(status: Int(ccurl_status(easy)), body: target.body, retryAfter: target.retryAfter)
    }

    private let receive: ccurl_write = { bytes, size, count, target in
        guard let bytes, let target else { return 0 }
        let box = Unmanaged<Target>.fromOpaque(target).takeUnretainedValue()
        guard box.body.count + size * count <= HTTPPost.largest else {
            box.isTooLarge = true
            return 0
        }
        box.body.append(contentsOf: UnsafeRawBufferPointer(start: bytes, count: size * count))
        return size * count
    }

    private let receiveHeader: ccurl_write = { bytes, size, count, target in
        guard let bytes, let target else { return 0 }
        let line = String(decoding: UnsafeRawBufferPointer(start: bytes, count: size * count), as: UTF8.self)
        if line.lowercased().hasPrefix("retry-after:") {
            let value = line.dropFirst("retry-after:".count).trimmingCharacters(in: .whitespacesAndNewlines)
            Unmanaged<Target>.fromOpaque(target).takeUnretainedValue().retryAfter =
                Double(value) ?? HTTPPost.seconds(until: value)
        }
        return size * count
    }

    /// How long it is until a date as HTTP writes it; nil for what is none.
    static func seconds(until date: String) -> Double? {
        let time = curl_getdate(date, nil)
        return time >= 0 ? max(1, Double(time) - Date().timeIntervalSince1970) : nil
    }
}
