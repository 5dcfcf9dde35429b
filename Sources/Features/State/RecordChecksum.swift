/// A 32-bit checksum of stored records against damage by accident: four independent chains of multiply-and-fold
/// (as in wyhash, Wang Yi 2019) over 32 bytes per step, so that it costs a fraction of a table-driven CRC.
enum RecordChecksum {
    @inline(__always)
    private static func fold(_ x: UInt64, _ y: UInt64) -> UInt64 {
        let product = x.multipliedFullWidth(by: y)
        return product.high ^ product.low
    }

    static func of(_ bytes: UnsafeRawBufferPointer, seed: UInt64) -> UInt32 {
        guard let start = bytes.baseAddress else { return 0 }
        let count = bytes.count
        let factor: UInt64 = 0xE703_7ED1_A0B4_28DB
        var a: UInt64 = 0xA076_1D64_78BD_642F ^ UInt64(count)
        var b: UInt64 = 0x8EBC_6AF0_9C88_C6E3 ^ seed
        var c: UInt64 = 0x5895_11EB_9C1F_97A7
        var d: UInt64 = 0x1D8E_4E27_C47D_124F
        var i = 0
        while i &+ 32 <= count {
            a = fold(a ^ start.loadUnaligned(fromByteOffset: i, as: UInt64.self), factor)
            b = fold(b ^ start.loadUnaligned(fromByteOffset: i &+ 8, as: UInt64.self), factor)
            c = fold(c ^ start.loadUnaligned(fromByteOffset: i &+ 16, as: UInt64.self), factor)
            d = fold(d ^ start.loadUnaligned(fromByteOffset: i &+ 24, as: UInt64.self), factor)
            i &+= 32
        }
        while i &+ 8 <= count {
            a = fold(a ^ start.loadUnaligned(fromByteOffset: i, as: UInt64.self), factor)
            i &+= 8
        }
        var tail: UInt64 = 0
        var shift: UInt64 = 0
        while i < count {
            tail |= UInt64(start.load(fromByteOffset: i, as: UInt8.self)) << shift
            shift &+= 8
            i &+= 1
        }
        b = fold(b ^ tail, factor)
        let mixed = fold(a ^ fold(b ^ c, 0x9E37_79B9_7F4A_7C15) ^ d, 0x2545_F491_4F6C_DD1D)
        return UInt32(truncatingIfNeeded: mixed ^ mixed >> 32)
    }
}
