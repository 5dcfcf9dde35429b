/// A 64-bit hash that is the same in every process and on every machine, since it is part of stored state.
///
/// Eight bytes a step, multiply and fold (the construction of wyhash, Wang Yi 2019). Not for untrusted table keys:
/// tables that attackers can fill mix in a process-random seed.
public enum StableHash {
    @inlinable static func fold(_ a: UInt64, _ b: UInt64) -> UInt64 {
        let product = a.multipliedFullWidth(by: b)
        return product.high ^ product.low
    }

    /// The hash of the bytes.
    @inlinable public static func hash(_ bytes: RawSpan) -> UInt64 {
        let count = bytes.byteCount
        var h: UInt64 = 0xA076_1D64_78BD_642F ^ UInt64(count)
        var i = 0
        while i + 8 <= count {
            let word = bytes.unsafeLoadUnaligned(fromByteOffset: i, as: UInt64.self)
            h = fold(h ^ word, 0xE703_7ED1_A0B4_28DB)
            i += 8
        }
        var tail: UInt64 = 0
        var shift: UInt64 = 0
        while i < count {
            tail |= UInt64(bytes.unsafeLoadUnaligned(fromByteOffset: i, as: UInt8.self)) << shift
            shift += 8
            i += 1
        }
        h = fold(h ^ tail, 0x8EBC_6AF0_9C88_C6E3)
        return fold(h ^ 0x5895_11EB_9C1F_97A7, 0x1D8E_4E27_C47D_124F)
    }

    /// The hash of a text's UTF-8 bytes. For set-up, not for the hot path.
    public static func hash(_ text: String) -> UInt64 {
        let bytes = Array(text.utf8)
        return hash(bytes.span.bytes)
    }
}
