import CRdkafka
import Consumer
import Foundation
import Kafka

/// Headers that go from an event to its score: trace contexts and correlation ids, by which a request is followed through
/// several systems.
package struct ForwardedHeaders: Sendable {
    private let names: [[CChar]]

    /// - Parameter names: compared without regard to case.
    package init(_ names: [String]) { self.names = names.map { Array($0.utf8CString) } }

    package var isEmpty: Bool { names.isEmpty }

    /// Those of a record's headers that go on, as a list for the caller to hand over; nil when there are none, which costs
    /// one look at the record.
    func list(of message: borrowing Message) -> OpaquePointer? {
        guard !names.isEmpty, let source = message.headerList else { return nil }
        var list: OpaquePointer?
        var index = 0
        var name: UnsafePointer<CChar>?
        var value: UnsafeRawPointer?
        var count = 0
        while rd_kafka_header_get_all(source, index, &name, &value, &count) == RD_KAFKA_RESP_ERR_NO_ERROR {
            index += 1
            guard let name, names.contains(where: { strcasecmp($0, name) == 0 }) else { continue }
            if list == nil { list = rd_kafka_headers_new(names.count) }
            rd_kafka_header_add(list, name, -1, value, value == nil ? 0 : count)
        }
        return list
    }

    /// The same of headers that were copied.
    package func filter(_ headers: [RecordHeader]) -> [RecordHeader] {
        headers.filter { header in
            (header.nameBytes + [0]).withUnsafeBytes { name in
                names.contains { strcasecmp($0, name.assumingMemoryBound(to: CChar.self).baseAddress!) == 0 }
            }
        }
    }
}
