import Base
import Events

/// The form of a user's record in the changelog and in checkpoints; the user's id is the message's key.
///
/// ```
///  0 version      u8   1
///  1 –            u8   0
///  2 words        u16  8-byte words of the record
///  4 checksum     u32  of what follows, seeded with the user's id
///  8 fingerprint  u64  of the plan (``FeaturePlan/fingerprint``)
/// 16 bitmap       a bit for each word, least significant first: 1 when the word is not zero
///    words        u64  the words that are not zero
/// ```
/// Little-endian. The record is its fixed part and its lists (``RecordLayout``), which hold only what happened; what
/// never happened in the fixed part is zero and costs a bit.
public struct UserRecordCodec: Sendable {
    public static let version: UInt8 = 1
    static let headerBytes = 16

    let program: FeatureProgram
    let fingerprint: UInt64

    public init(_ plan: FeaturePlan) {
        program = plan.program
        fingerprint = plan.fingerprint
    }

    /// Bytes that suffice for any record of `used` bytes in memory.
    static func bound(_ used: Int) -> Int { headerBytes &+ used / 64 &+ 1 &+ used }

    static func seed(_ user: UnsafeRawBufferPointer) -> UInt64 { StableHash.hash(user.bytes) }

    /// Writes a record to `out`, which holds ``bound(_:)`` bytes; returns the length.
    func encode(_ record: UserRecord, listsStart: Int, user: UnsafeRawBufferPointer, to out: UnsafeMutableRawPointer)
        -> Int
    {
        let fixedWords = (program.fixedEnd &- RecordLayout.clock) / 8
        let words = fixedWords &+ (record.used &- listsStart) / 8
        let bitmapBytes = (words &+ 7) / 8
        var writer = WordWriter(
            bitmap: out + Self.headerBytes, next: out + (Self.headerBytes &+ bitmapBytes))
        writer.append(record.address + RecordLayout.clock, fixedWords)
        writer.append(record.address + listsStart, words &- fixedWords)
        writer.finish()
        let length = out.distance(to: writer.next)
        out.storeBytes(of: Self.version, as: UInt8.self)
        out.storeBytes(of: 0, toByteOffset: 1, as: UInt8.self)
        out.storeBytes(of: UInt16(truncatingIfNeeded: words), toByteOffset: 2, as: UInt16.self)
        out.storeBytes(of: fingerprint, toByteOffset: 8, as: UInt64.self)
        let covered = UnsafeRawBufferPointer(start: out + 8, count: length &- 8)
        out.storeBytes(of: RecordChecksum.of(covered, seed: Self.seed(user)), toByteOffset: 4, as: UInt32.self)
        return length
    }

    /// Appends words, leaving out zeros and noting them in the bitmap.
    private struct WordWriter {
        var bitmap: UnsafeMutableRawPointer
        var next: UnsafeMutableRawPointer
        private var bits: UInt64 = 0
        private var bit: UInt64 = 0

        init(bitmap: UnsafeMutableRawPointer, next: UnsafeMutableRawPointer) {
            self.bitmap = bitmap
            self.next = next
        }

        @inline(__always)
        mutating func append(_ source: UnsafeMutableRawPointer, _ count: Int) {
            var i = 0
            while i < count {
                let word = source.load(fromByteOffset: i &* 8, as: UInt64.self)
                // Written always, kept when not zero: no branch to mispredict.
                next.storeBytes(of: word, as: UInt64.self)
                let isKept: UInt64 = word == 0 ? 0 : 1
                next += Int(isKept &* 8)
                bits |= isKept &<< bit
                bit &+= 1
                if bit == 8 { flush() }
                i &+= 1
            }
        }

        @inline(__always)
        private mutating func flush() {
            bitmap.storeBytes(of: UInt8(truncatingIfNeeded: bits), as: UInt8.self)
            bitmap += 1
            bits = 0
            bit = 0
        }

        mutating func finish() { if bit > 0 { flush() } }
    }
}
