import Kafka

/// One record as a backtest sees it; its bytes are good inside the call that lends it.
package struct SourceRecord {
    package var key: UnsafeRawBufferPointer?
    package var value: UnsafeRawBufferPointer?
    package var partition: Int32
    package var offset: Int64
    /// Milliseconds since 1970; −1 when the record has none.
    package var timestamp: Int64
    /// Whether it only fills the state.
    package var isWarmUp: Bool
    /// Copied, when the source was made to give them; else empty.
    package var headers: [RecordHeader] = []

    package init(
        key: UnsafeRawBufferPointer?, value: UnsafeRawBufferPointer?, partition: Int32, offset: Int64, timestamp: Int64,
        isWarmUp: Bool, headers: [RecordHeader] = []
    ) {
        self.key = key
        self.value = value
        self.partition = partition
        self.offset = offset
        self.timestamp = timestamp
        self.isWarmUp = isWarmUp
        self.headers = headers
    }
}

/// The records of one partition, in order: a topic's, or the lines of a file. Belongs to one thread.
package protocol RecordSource: AnyObject {
    /// Goes to the span's place.
    func begin(_ span: PartitionSpan) throws

    /// Lends the next records, `max` at most, one by one; waits for the first of them.
    ///
    /// - Returns: false when the span is read to its end. A return without records is not an end.
    /// - Throws: `partition_vanished`, `range_retention`, what the file or the broker says, and what `body` throws.
    func read(max: Int, _ body: (SourceRecord) throws -> Void) throws -> Bool

    /// The next offset to read.
    var position: Int64 { get }

    func close()
}

/// Makes a source for each thread of a backtest.
package protocol RecordSourceFactory: Sendable {
    /// The topic that scores name as their source.
    var topic: String { get }
    /// Whether records carry the user's id as their key.
    var hasKeys: Bool { get }
    func make(component: String) throws -> any RecordSource
}
