import Base
import CMicroHTTPD
import Foundation
import Synchronization

/// Sends the same server-sent events to every client that listens (the HTML standard's `text/event-stream`).
///
/// A client's connection is suspended while there is nothing to send: it costs no thread. A client that does not read
/// what is sent loses events, never memory.
package final class EventStream: Sendable {
    /// Most clients at once.
    package static let maxClients = 64
    /// Bytes that may wait for one client.
    private static let maxPending = 1 << 20

    private let clients = Mutex<[ObjectIdentifier: Client]>([:])

    package init() {}

    package var count: Int { clients.withLock { $0.count } }

    /// One listener. libmicrohttpd's response holds it.
    package final class Client: Sendable {
        private struct State {
            var pending: [UInt8] = []
            var sent = 0
            var isSuspended = false
            var isEnding = false
            var connection: UInt = 0
        }

        private let state: Mutex<State>
        fileprivate let stream: EventStream

        fileprivate init(_ stream: EventStream, first: [UInt8]) {
            self.stream = stream
            state = Mutex(State(pending: first))
        }

        /// The connection that the stream answers; known once the answer begins.
        func attach(_ connection: OpaquePointer?) {
            state.withLock { $0.connection = UInt(bitPattern: connection) }
        }

        fileprivate func send(_ bytes: [UInt8]) {
            state.withLock { state in
                if state.sent > 0 {
                    state.pending.removeFirst(state.sent)
                    state.sent = 0
                }
                if state.pending.count + bytes.count > EventStream.maxPending { return }
                state.pending += bytes
                Self.resume(&state)
            }
        }

        fileprivate func finish() {
            state.withLock { state in
                state.isEnding = true
                Self.resume(&state)
            }
        }

        private static func resume(_ state: inout State) {
            guard state.isSuspended, let connection = OpaquePointer(bitPattern: state.connection) else { return }
            state.isSuspended = false
            MHD_resume_connection(connection)
        }

        /// Called by libmicrohttpd when it can send: gives bytes, or suspends the connection.
        func read(into buffer: UnsafeMutablePointer<CChar>, room: Int) -> Int {
            state.withLock { state in
                let rest = state.pending.count - state.sent
                if rest > 0 {
                    let count = min(rest, room)
                    let sent = state.sent
                    state.pending.withUnsafeBytes { bytes in
                        if let base = bytes.baseAddress {
                            UnsafeMutableRawPointer(buffer).copyMemory(from: base + sent, byteCount: count)
                        }
                    }
                    state.sent += count
                    if state.sent == state.pending.count {
                        state.pending.removeAll(keepingCapacity: true)
                        state.sent = 0
                    }
                    return count
                }
                if state.isEnding { return impactiq_http_end_of_stream() }
                // Under the lock that send() takes, so that no event falls between this look and the suspension.
                if let connection = OpaquePointer(bitPattern: state.connection) {
                    state.isSuspended = true
                    MHD_suspend_connection(connection)
                }
                return 0
            }
        }

        /// The response is gone: the client left, or was sent the end.
        func close() { stream.remove(self) }
    }

    /// A new client, which is sent `first` at once; nil when there are too many.
    package func open(first: [UInt8]) -> Client? {
        let client = Client(self, first: first)
        return clients.withLock { clients in
            guard clients.count < Self.maxClients else { return nil }
            clients[ObjectIdentifier(client)] = client
            return client
        }
    }

    private func remove(_ client: Client) { _ = clients.withLock { $0.removeValue(forKey: ObjectIdentifier(client)) } }

    /// Sends bytes that make up whole events.
    package func send(_ bytes: [UInt8]) {
        let all = clients.withLock { Array($0.values) }
        for client in all { client.send(bytes) }
    }

    /// Ends every stream: the server stops.
    package func finish() {
        let all = clients.withLock { Array($0.values) }
        for client in all { client.finish() }
    }
}
