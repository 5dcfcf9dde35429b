import Events
import JSON

/// Turns messages of the output topic into a batch for the database. Knows nothing of Kafka or SQL.
package final class ScoreBatchBuilder {
    /// What became of a message.
    package enum Outcome: Equatable {
        /// It is in the batch now, or is passed over; the position moves.
        case taken
        /// It belongs to the next batch: store this one, then add it again.
        case needsFlush
    }

    let batch: ScoreBatch
    private let reader = ScoreReader()
    private let erasesOnTombstone: Bool
    private let counters: LogStoreCounters
    /// Rejections of one batch; each is a row too.
    private static let maxRejections = 1_000
    /// Where reading stands, by partition: stored, and read.
    private var stored: [Int32: Int64] = [:]
    private var next: [Int32: Int64] = [:]

    package init(_ batch: ScoreBatch, erasesOnTombstone: Bool, counters: LogStoreCounters) {
        self.batch = batch
        self.erasesOnTombstone = erasesOnTombstone
        self.counters = counters
    }

    /// Forgets what was read and begins at these places.
    package func begin(stored: [Int32: Int64], next: [Int32: Int64]) {
        batch.removeAll()
        self.stored = stored
        self.next = next
    }

    /// True when the batch holds something to store.
    package var hasWork: Bool { !batch.rows.isEmpty || !batch.rejections.isEmpty || !batch.erasures.isEmpty }
    package var isFull: Bool { batch.rows.isFull || batch.rejections.count >= Self.maxRejections }

    /// The next offset to read of a partition.
    package func position(_ partition: Int32) -> Int64? { next[partition] }

    /// All records before `offset` have been added, or are none of ours (transaction markers).
    package func reached(_ partition: Int32, _ offset: Int64) { next[partition] = max(next[partition] ?? 0, offset) }

    /// Adds one message. Those of a partition come in the order of their offsets.
    package func add(
        partition: Int32, offset: Int64, key: UnsafeRawBufferPointer?, payload: UnsafeRawBufferPointer?
    ) -> Outcome {
        if isFull { return .needsFlush }
        guard let payload else { return addTombstone(partition, offset, key) }
        do throws(InputError) {
            let score = try reader.read(payload)
            // Rows after a user's tombstone stay: the erasure must be stored before them.
            if !batch.erasures.isEmpty, batch.erasures.contains(Array(reader.bytes(score.user))) { return .needsFlush }
            do throws(ScoreRows.Fault) {
                try append(score)
            } catch {
                reject(partition, offset, error.code, "the score does not fit the table")
            }
        } catch {
            reject(partition, offset, error.code.name, error.message(schema: Self.noSchema))
        }
        reached(partition, offset + 1)
        return .taken
    }

    /// Fills in how far the partitions move; nil when there is nothing to store.
    package func finish() -> ScoreBatch? {
        guard hasWork else { return nil }
        batch.advances = next.keys.sorted().compactMap { partition in
            guard let position = next[partition], position != stored[partition] else { return nil }
            return ScoreBatch.Advance(partition: partition, expected: stored[partition], next: position)
        }
        return batch
    }

    /// The batch is in the database.
    package func stored(_ batch: ScoreBatch) {
        for advance in batch.advances { stored[advance.partition] = advance.next }
        batch.removeAll()
    }

    private static let noSchema = EventSchema()

    private func addTombstone(_ partition: Int32, _ offset: Int64, _ key: UnsafeRawBufferPointer?) -> Outcome {
        if !erasesOnTombstone {
            counters.countTombstone()
        } else if let key, !key.isEmpty {
            batch.erasures.insert(Array(key))
        } else {
            reject(partition, offset, "null_key", "a tombstone without a user as its key")
        }
        reached(partition, offset + 1)
        return .taken
    }

    private func reject(_ partition: Int32, _ offset: Int64, _ code: String, _ message: String) {
        batch.rejections.append(.init(partition: partition, offset: offset, code: code, message: message))
    }

    private func append(_ score: Score) throws(ScoreRows.Fault) {
        let rows = batch.rows
        let above = rows.last
        func text(_ text: Score.Text, _ previous: ScoreRows.Text = .null) -> ScoreRows.Text {
            text.isPresent ? rows.put(reader.bytes(text), sharing: previous) : .null
        }
        var row = ScoreRows.Row()
        row.sourceTopic = text(score.sourceTopic, above.sourceTopic)
        row.sourcePartition = score.sourcePartition
        row.sourceOffset = score.sourceOffset
        row.user = text(score.user)
        row.time = score.time
        row.eventType = text(score.eventType, above.eventType)
        row.treatment = text(score.treatment, above.treatment)
        row.outcome = text(score.outcome, above.outcome)
        row.uplift = score.uplift
        row.standardError = score.standardError
        row.lower = score.lower
        row.upper = score.upper
        row.level = score.level
        row.decision = text(score.decision, above.decision)
        row.model = text(score.model, above.model)
        row.modelVersion = text(score.modelVersion, above.modelVersion)
        row.modelSHA256 = text(score.modelSHA256, above.modelSHA256)
        row.effects = text(score.effects)
        try rows.append(row)
    }
}
