import Base
import Events
import Features
import Foundation

/// How far a partition is, with all that its next bytes depend on.
struct ReplayProgress: Codable, Equatable {
    /// The next offset to read.
    var position: Int64
    /// Bytes of the partition's parts that belong to what was read before the position.
    var outputLength: Int
    var changesLength: Int
    var counters: ReplayCounters
    var watch: StreamWatch
    var comparison: ScoreComparison?
    /// The late counter of the state's earlier lives.
    var late: Int
}

extension ReplayProgress {
    /// Whether a replay of the range can have been so far.
    func isPlausible(_ span: PartitionSpan, _ schema: EventSchema) -> Bool {
        (span.first...max(span.first, span.end)).contains(position)
            && PlausibleCount.holds(outputLength, changesLength, late)
            && counters.isPlausible && watch.isPlausible(schema) && comparison?.isPlausible ?? true
    }
}

/// A checkpoint file: the progress as JSON, then each user's record in its stored form, then the SHA-256 of it all.
///
/// ```
/// u32 bytes of JSON │ JSON │ u64 plan fingerprint │ (u16 id bytes │ u32 record bytes │ id │ record)… │ u16 0xFFFF │ SHA-256
/// ```
struct ReplayCheckpoint {
    let path: String
    private static let endMark = UInt16.max

    /// Replaces the checkpoint; a kill leaves the old one or the new one.
    func write(_ progress: ReplayProgress, _ state: PartitionState) throws {
        let json = try JSONEncoder().encode(progress)
        let file = try OutputFile(path)
        let sum = SHA256()
        let chunk = ByteBuffer(capacity: 1 << 20)
        func flush() throws(ImpactError) {
            sum.update(chunk.bytes)
            try file.append(chunk.bytes)
            chunk.removeAll()
        }
        append(UInt32(json.count), to: chunk)
        chunk.append([UInt8](json))
        append(state.plan.fingerprint, to: chunk)
        var failure: ImpactError?
        state.forEachUser { user, slot in
            guard failure == nil else { return }
            append(UInt16(user.count), to: chunk)
            let place = chunk.count
            append(UInt32(0), to: chunk)
            chunk.append(user)
            let start = chunk.count
            state.encode(slot, into: chunk)
            chunk.overwrite(UInt32(chunk.count - start), at: place)
            guard chunk.count > 1 << 19 else { return }
            do throws(ImpactError) { try flush() } catch { failure = error }
        }
        if let failure { throw failure }
        append(Self.endMark, to: chunk)
        try flush()
        try file.append(sum.finalize())
        try file.finish()
    }

    /// Fills an empty state. Nil when there is no checkpoint, or none that is whole: the partition begins anew.
    ///
    /// - Parameter span: the partition's range; a position outside it is none that a replay of it wrote.
    func read(into state: PartitionState, span: PartitionSpan) -> ReplayProgress? {
        guard let data = try? Data(contentsOf: URL(filePath: path), options: .mappedIfSafe) else { return nil }
        return data.withUnsafeBytes { Self.read($0, into: state, span: span) } ?? damaged()
    }

    /// The same from bytes; nil for those that are not a whole checkpoint of this plan and range.
    ///
    /// The sum tells damage, not intent: whoever may write here can make one that is right, so every length is compared
    /// with what is there.
    static func read(
        _ bytes: UnsafeRawBufferPointer, into state: PartitionState, span: PartitionSpan
    ) -> ReplayProgress? {
        guard bytes.count > SHA256.digestSize else { return nil }
        let body = UnsafeRawBufferPointer(rebasing: bytes.dropLast(SHA256.digestSize))
        let sum = SHA256()
        sum.update(body)
        guard sum.finalize().elementsEqual(bytes.suffix(SHA256.digestSize)) else { return nil }
        var rest = ByteCursor(body)
        guard let jsonBytes = rest.integer(UInt32.self), let json = rest.bytes(Int(jsonBytes)),
            let fingerprint = rest.integer(UInt64.self), fingerprint == state.plan.fingerprint,
            let progress = try? JSONDecoder().decode(ReplayProgress.self, from: Data(json)),
            progress.isPlausible(span, state.plan.schema)
        else { return nil }
        while true {
            guard let idBytes = rest.integer(UInt16.self) else { return nil }
            if idBytes == endMark { return rest.isAtEnd ? progress : nil }
            guard let recordBytes = rest.integer(UInt32.self), let user = rest.bytes(Int(idBytes)),
                let record = rest.bytes(Int(recordBytes))
            else { return nil }
            do { try state.restore(user: user, record: record) } catch { return nil }
        }
    }

    private func damaged() -> ReplayProgress? {
        Log.warning("replay", "the checkpoint \(path) is damaged: its partition begins anew")
        return nil
    }

    private func append<Value: FixedWidthInteger>(_ value: Value, to buffer: ByteBuffer) {
        withUnsafeBytes(of: value.littleEndian) { buffer.append($0) }
    }
}

/// The reader alone, for the fuzzer.
package enum CheckpointProbe {
    /// Whether the bytes are a checkpoint of this plan and range.
    @discardableResult
    package static func read(
        _ bytes: UnsafeRawBufferPointer, into state: PartitionState, span: PartitionSpan
    ) -> Bool { ReplayCheckpoint.read(bytes, into: state, span: span) != nil }
}
