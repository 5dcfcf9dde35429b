/// The hash of the state's table: of the user's id, under a key that is random in each process, so that nobody outside
/// can choose ids that collide. Never stored, never seen in results.
///
/// The multiply-and-fold construction of wyhash (Wang Yi 2019) with both factors secret.
struct KeyedHash: Sendable {
    private let a: UInt64
    private let b: UInt64

    init(seed: UInt64?) {
        if let seed {
            a = seed &* 0x9E37_79B9_7F4A_7C15 | 1
            b = seed ^ 0xA076_1D64_78BD_642F
        } else {
            a = .random(in: 0 ... .max) | 1
            b = .random(in: 0 ... .max)
        }
    }

    @inline(__always)
    private static func fold(_ x: UInt64, _ y: UInt64) -> UInt64 {
        let product = x.multipliedFullWidth(by: y)
        return product.high ^ product.low
    }

    @inline(__always)
    func callAsFunction(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
        let count = bytes.count
        guard let start = bytes.baseAddress, count > 0 else { return a }
        var h = b ^ UInt64(truncatingIfNeeded: count)
        // Every load below stays inside `count` bytes: whole words first, then the last word, which may overlap.
        if count >= 8 {
            var i = 0
            while i &+ 8 < count {
                h = Self.fold(h ^ start.loadUnaligned(fromByteOffset: i, as: UInt64.self), a)
                i &+= 8
            }
            h = Self.fold(h ^ start.loadUnaligned(fromByteOffset: count &- 8, as: UInt64.self), a)
        } else if count >= 4 {
            let low = UInt64(start.loadUnaligned(as: UInt32.self))
            let high = UInt64(start.loadUnaligned(fromByteOffset: count &- 4, as: UInt32.self))
            h = Self.fold(h ^ (low | high << 32), a)
        } else {
            let first = UInt64(start.load(as: UInt8.self))
            let middle = UInt64(start.load(fromByteOffset: count / 2, as: UInt8.self))
            let last = UInt64(start.load(fromByteOffset: count &- 1, as: UInt8.self))
            h = Self.fold(h ^ (first | middle << 8 | last << 16), a)
        }
        return Self.fold(h ^ a, b | 1)
    }
}
