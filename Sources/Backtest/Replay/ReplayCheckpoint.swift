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
        let file = try PartFile(path + ".new", keeping: 0)
        var sum = SHA256()
        let chunk = ByteBuffer(capacity: 1 << 20)
        func flush() throws(ImpactError) {
            sum.update(chunk.bytes)
            try file.append { $0.append(chunk.bytes) }
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
        try file.append { $0.append(sum.finalize()) }
        try file.sync()
        guard rename(file.path, path) == 0 else { throw PartFile.failure(path) }
    }

    /// Fills an empty state. Nil when there is no checkpoint, or none that is whole: the partition begins anew.
    func read(into state: PartitionState) throws -> ReplayProgress? {
        guard let data = try? Data(contentsOf: URL(filePath: path), options: .mappedIfSafe) else { return nil }
        return try data.withUnsafeBytes { bytes -> ReplayProgress? in
            guard bytes.count > SHA256.digestSize + 14 else { return damaged() }
            let body = UnsafeRawBufferPointer(rebasing: bytes.dropLast(SHA256.digestSize))
            var sum = SHA256()
            sum.update(body)
            guard sum.finalize().elementsEqual(bytes.suffix(SHA256.digestSize)) else { return damaged() }
            // The sum is right, so the file is what was written: its places need no further doubt than the bounds.
            let jsonBytes = Int(body.loadUnaligned(fromByteOffset: 0, as: UInt32.self))
            guard 4 + jsonBytes + 10 <= body.count else { return damaged() }
            let json = Data(body[4..<4 + jsonBytes])
            guard let progress = try? JSONDecoder().decode(ReplayProgress.self, from: json),
                body.loadUnaligned(fromByteOffset: 4 + jsonBytes, as: UInt64.self) == state.plan.fingerprint
            else { return damaged() }
            var at = 4 + jsonBytes + 8
            while at + 6 <= body.count {
                let idBytes = Int(body.loadUnaligned(fromByteOffset: at, as: UInt16.self))
                if idBytes == Int(Self.endMark) { break }
                let recordBytes = Int(body.loadUnaligned(fromByteOffset: at + 2, as: UInt32.self))
                let start = at + 6
                try state.restore(
                    user: UnsafeRawBufferPointer(rebasing: body[start..<start + idBytes]),
                    record: UnsafeRawBufferPointer(
                        rebasing: body[start + idBytes..<start + idBytes + recordBytes]))
                at = start + idBytes + recordBytes
            }
            return progress
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
