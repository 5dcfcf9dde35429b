import Base
import CPostgres
import Foundation

/// Owns one connection to a server. For one thread.
///
/// Every wait is a `poll(2)` of the socket in short slices, so that a server that hangs cannot hold a stop beyond its
/// deadline: then the wait throws, and the connection is to be closed.
final class PostgreSQLConnection {
    let address: PostgreSQLAddress
    private let stop: LogStoreStop
    private let handle: OpaquePointer

    /// Connects, or throws within the address's time-out.
    init(_ address: PostgreSQLAddress, stop: LogStoreStop) throws(PostgreSQLError) {
        self.address = address
        self.stop = stop
        // What the URL does not say itself: UTF-8 on the wire; a peer that is gone is noticed after 30 s.
        let settings = [
            ("dbname", address.url), ("fallback_application_name", "impactiq"), ("client_encoding", "UTF8"),
        ]
        guard let started = Self.start(settings) else {
            throw PostgreSQLError(state: "53200", message: "no memory for a connection")
        }
        handle = started
        // The default prints notices on standard error.
        PQsetNoticeProcessor(handle, { _, _ in }, nil)
        // Verbose messages carry the SQLSTATE, which libpq does not give otherwise while connecting.
        PQsetErrorVerbosity(handle, PQERRORS_VERBOSE)
        try finishConnecting()
        PQsetnonblocking(handle, 1)
    }

    deinit { PQfinish(handle) }

    /// Runs one or more statements without parameters; returns the last result.
    @discardableResult
    func execute(_ sql: String) throws(PostgreSQLError) -> PostgreSQLResult {
        guard PQsendQuery(handle, sql) == 1 else { throw failure() }
        return try finish()
    }

    /// Runs one statement; `nil` is NULL.
    @discardableResult
    func execute(_ sql: String, _ parameters: [String?]) throws(PostgreSQLError) -> PostgreSQLResult {
        let copies = parameters.map { $0.flatMap { strdup($0) } }
        defer { for copy in copies { free(copy) } }
        let pointers = copies.map { UnsafePointer($0) }
        guard PQsendQueryParams(handle, sql, Int32(pointers.count), nil, pointers, nil, nil, 0) == 1 else {
            throw failure()
        }
        return try finish()
    }

    /// Runs a `COPY … FROM STDIN`; `send` calls ``put(_:)`` as often as it likes. Returns the number of rows.
    func copy(_ sql: String, _ send: () throws(PostgreSQLError) -> Void) throws(PostgreSQLError) -> Int {
        guard PQsendQuery(handle, sql) == 1 else { throw failure() }
        try flush()
        guard let started = try next() else { throw failure() }
        if let failed = started.failure {
            _ = try? finish()
            throw scrubbed(failed)
        }
        guard started.status == PGRES_COPY_IN else {
            throw PostgreSQLError(state: "XX000", message: "the server did not start to copy")
        }
        try send()
        while true {
            let done = PQputCopyEnd(handle, nil)
            if done == 1 { break }
            if done < 0 { throw failure() }
            try wait(reading: true, writing: true)
        }
        return try finish().affected
    }

    /// A piece of the data of a COPY; waits while the socket's buffers are full.
    func put(_ bytes: UnsafeRawBufferPointer) throws(PostgreSQLError) {
        while true {
            let start = bytes.baseAddress?.assumingMemoryBound(to: CChar.self)
            let done = PQputCopyData(handle, start, Int32(bytes.count))
            if done == 1 { break }
            if done < 0 { throw failure() }
            try wait(reading: true, writing: true)
        }
        try flush()
    }

    // MARK: Waiting

    /// Sends what is buffered, reads to the end of the answer, and throws its first error.
    private func finish() throws(PostgreSQLError) -> PostgreSQLResult {
        try flush()
        var last: PostgreSQLResult?
        var failed: PostgreSQLError?
        while let result = try next() {
            failed = failed ?? result.failure
            last = result
            if result.status == PGRES_COPY_IN { PQputCopyEnd(handle, "not expected") }
        }
        if let failed { throw scrubbed(failed) }
        guard let last else { throw failure() }
        return last
    }

    /// The next result of the answer, or nil after the last.
    private func next() throws(PostgreSQLError) -> PostgreSQLResult? {
        while PQisBusy(handle) == 1 {
            try wait(reading: true, writing: false)
            guard PQconsumeInput(handle) == 1 else { throw failure() }
        }
        return PQgetResult(handle).map(PostgreSQLResult.init)
    }

    private func flush() throws(PostgreSQLError) {
        while true {
            let left = PQflush(handle)
            if left == 0 { return }
            if left < 0 { throw failure() }
            try wait(reading: true, writing: true)
            // The server may have something to say before it reads on: otherwise both would wait for ever.
            guard PQconsumeInput(handle) == 1 else { throw failure() }
        }
    }

    private func finishConnecting() throws(PostgreSQLError) {
        let end = LogStoreStop.now() &+ UInt64(address.connectTimeout * 1e9)
        while true {
            switch PQconnectPoll(handle) {
            case PGRES_POLLING_OK: return
            case PGRES_POLLING_READING: try wait(reading: true, writing: false, until: end)
            case PGRES_POLLING_WRITING: try wait(reading: false, writing: true, until: end)
            default: throw failure()
            }
        }
    }

    private func wait(reading: Bool, writing: Bool, until end: UInt64 = .max) throws(PostgreSQLError) {
        let events = Int16(reading ? POLLIN : 0) | Int16(writing ? POLLOUT : 0)
        let begun = LogStoreStop.now()
        var saidSo = false
        while true {
            var socket = pollfd(fd: PQsocket(handle), events: events, revents: 0)
            guard socket.fd >= 0 else { throw failure() }
            let ready = poll(&socket, 1, 100)
            if ready > 0 { return }
            if ready < 0, errno != EINTR {
                throw PostgreSQLError(state: PostgreSQLError.connectionLost, message: String(cString: strerror(errno)))
            }
            if stop.isPastDeadline {
                throw PostgreSQLError(state: PostgreSQLError.queryCanceled, message: "stopped while waiting")
            }
            let now = LogStoreStop.now()
            if now >= end {
                throw PostgreSQLError(
                    state: PostgreSQLError.connectionLost, message: "no connection within \(address.connectTimeout) s")
            }
            if !saidSo, now &- begun > 30_000_000_000 {
                saidSo = true
                Log.warning("log-store", "\(address.display): no answer for 30 s; still waiting")
            }
        }
    }

    // MARK: Errors

    /// libpq's last message: its first line, its SQLSTATE when it has one, and no secret.
    private func failure() -> PostgreSQLError {
        let said = PQerrorMessage(handle).map { String(cString: $0) } ?? ""
        let lines = said.split(separator: "\n").map { $0.trimmingCharacters(in: .whitespaces) }
        // "connection to server at …: FATAL:  28P01: password authentication failed for user …"
        let pattern = /[A-Z]+:\s+(?<state>[0-9A-Z]{5}): (?<text>.*)/
        for line in lines {
            if let match = line.firstMatch(of: pattern) {
                return scrubbed(PostgreSQLError(state: String(match.state), message: String(match.text)))
            }
        }
        let text = lines.first ?? "the connection was lost"
        return scrubbed(PostgreSQLError(state: PostgreSQLError.connectionLost, message: text))
    }

    private func scrubbed(_ error: PostgreSQLError) -> PostgreSQLError {
        PostgreSQLError(state: error.state, message: address.scrubbed(error.message))
    }

    private static func start(_ settings: [(String, String)]) -> OpaquePointer? {
        let copies = settings.flatMap { [strdup($0.0), strdup($0.1)] }
        defer { for copy in copies { free(copy) } }
        let keywords = stride(from: 0, to: copies.count, by: 2).map { UnsafePointer(copies[$0]) } + [nil]
        let values = stride(from: 1, to: copies.count, by: 2).map { UnsafePointer(copies[$0]) } + [nil]
        return PQconnectStartParams(keywords, values, 1)
    }
}
