/// One event as the pipeline sees it: numbers, hashes and places in the batch's text arena. Trivially copyable.
///
/// Made by ``EventBatch/append(_:source:)``; its texts are read through the batch that holds it.
public struct Event: Sendable, BitwiseCopyable {
    /// A text in the arena of the batch: decoded UTF-8 bytes.
    public struct Text: Sendable, BitwiseCopyable {
        public var start: UInt32 = 0
        public var count: UInt32 = 0
        /// False when the bytes can stand between quotes in JSON as they are.
        public var needsEscape = false
    }

    /// The type of an event that erases its user.
    public static let eraseType = "user.delete"

    /// The type's number in the schema, or ``unknownType``.
    public var type: UInt8 = Event.unknownType
    /// What a consent event refuses, and what it allows; none in others.
    public var refuses: Purposes = []
    public var allows: Purposes = []
    /// The type's own text, also for a type the schema does not know.
    public var typeText = Text()
    /// The user's id; an integer id is its decimal digits, so 17 and "17" are one user.
    public var user = Text()
    /// ``StableHash`` of the user's id.
    public var userHash: UInt64 = 0
    /// Event time, milliseconds since 1970 UTC.
    public var time: Int64 = Event.noTime
    /// ``StableHash`` of the event's `id`; meaningful when `hasID`.
    public var idHash: UInt64 = 0
    public var hasID = false
    /// The arm of a logged assignment (hash of its text), when `hasTreatment`.
    public var armHash: UInt64 = 0
    public var experimentHash: UInt64 = 0
    /// Propensity of the arm taken, in (0, 1]; NaN when not logged.
    public var propensity = Double.nan
    public var hasTreatment = false
    /// Where the event stood: partition, offset, and the record's timestamp in milliseconds.
    public var source = SourcePosition()

    public static let unknownType: UInt8 = 255
    /// A number that no type has.
    public static let noType: UInt8 = 254
    /// Stands for a time that was not read.
    static let noTime = Int64.min

    public init() {}
}

/// The place of a record in its topic, and the record's timestamp.
public struct SourcePosition: Sendable, Equatable, BitwiseCopyable {
    /// Index of the topic among the configured input topics.
    public var topic: Int32 = 0
    public var partition: Int32 = 0
    public var offset: Int64 = 0
    /// Kafka's record timestamp, milliseconds since 1970; −1 when the record has none.
    public var timestamp: Int64 = -1

    public init(topic: Int32 = 0, partition: Int32 = 0, offset: Int64 = 0, timestamp: Int64 = -1) {
        self.topic = topic
        self.partition = partition
        self.offset = offset
        self.timestamp = timestamp
    }
}
