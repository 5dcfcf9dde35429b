/// A 64-bit hash that is the same in every process, on every machine and in every release, since it is part of stored
/// state. `StableHashTests` holds golden values; a change of them is a change of the state format.
///
/// The count of bytes seeds it; each eight bytes (little-endian) are mixed in by one multiply-and-fold, then the rest
/// padded with zeros, then a last fold (the construction of wyhash, Wang Yi 2019). Not for untrusted table keys: tables
/// that attackers can fill mix in a process-random seed and compare the bytes.
public enum StableHash {
    @inline(__always) @inlinable public static func fold(_ a: UInt64, _ b: UInt64) -> UInt64 {
        let product = a.multipliedFullWidth(by: b)
        return product.high ^ product.low
    }

    /// The hash of the bytes.
    @inlinable public static func hash(_ bytes: RawSpan) -> UInt64 {
        bytes.withUnsafeBytes { hash($0) }
    }

    /// The hash of the bytes. Reads within them only, every load after a comparison with their count.
    @inlinable public static func hash(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
        let count = bytes.count
        guard let base = bytes.baseAddress else { return finish(0xA076_1D64_78BD_642F, tail: 0) }
        var h: UInt64 = 0xA076_1D64_78BD_642F ^ UInt64(truncatingIfNeeded: count)
        guard count >= 8 else { return finish(h, tail: shortTail(base, count)) }
        var i = 0
        while i &+ 8 <= count {
            h = fold(h ^ word(base, i), 0xE703_7ED1_A0B4_28DB)
            i &+= 8
        }
        // The last count % 8 bytes, as the top of the last eight.
        let rest = UInt64(truncatingIfNeeded: count & 7)
        let tail = rest == 0 ? 0 : word(base, count &- 8) &>> (64 &- 8 &* rest)
        return finish(h, tail: tail)
    }

    /// The hash of a text's UTF-8 bytes. For set-up, not for the hot path.
    public static func hash(_ text: String) -> UInt64 {
        let bytes = Array(text.utf8)
        return hash(bytes.span.bytes)
    }

    @inline(__always) @inlinable public static func finish(_ h: UInt64, tail: UInt64) -> UInt64 {
        fold(fold(h ^ tail, 0x8EBC_6AF0_9C88_C6E3) ^ 0x5895_11EB_9C1F_97A7, 0x1D8E_4E27_C47D_124F)
    }

    @inline(__always) @inlinable public static func word(_ base: UnsafeRawPointer, _ offset: Int) -> UInt64 {
        UInt64(littleEndian: base.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }

    /// Fewer than eight bytes as one little-endian word.
    @inline(__always) @inlinable public static func shortTail(_ base: UnsafeRawPointer, _ count: Int) -> UInt64 {
        if count >= 4 {
            let low = UInt32(littleEndian: base.loadUnaligned(as: UInt32.self))
            let high = UInt32(littleEndian: base.loadUnaligned(fromByteOffset: count &- 4, as: UInt32.self))
            return UInt64(low) | UInt64(high) &<< UInt64(truncatingIfNeeded: 8 &* (count &- 4))
        }
        guard count > 0 else { return 0 }
        // One to three bytes: first, middle, last; those that coincide are the same byte at the same place.
        let first = UInt64(base.load(as: UInt8.self))
        let middle = UInt64(base.load(fromByteOffset: count / 2, as: UInt8.self))
        let last = UInt64(base.load(fromByteOffset: count &- 1, as: UInt8.self))
        return first | middle &<< UInt64(truncatingIfNeeded: 8 &* (count / 2))
            | last &<< UInt64(truncatingIfNeeded: 8 &* (count &- 1))
    }
}
