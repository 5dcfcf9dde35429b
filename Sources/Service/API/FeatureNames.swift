import Base

/// From the name of a feature, as bytes, to its place in the model's row.
///
/// @unchecked Sendable: nothing changes after it was made.
final class FeatureNames: @unchecked Sendable {
    private let arena: UnsafeMutableRawPointer
    private let starts: UnsafeMutablePointer<Int>
    /// Open addressing by ``StableHash``; −1 is empty. At most half full, so that a search ends.
    private let table: UnsafeMutablePointer<Int32>
    private let mask: Int
    let count: Int

    init(_ names: [String]) {
        count = names.count
        let bytes = names.map { Array($0.utf8) }
        arena = .allocate(byteCount: bytes.reduce(1) { $0 + $1.count }, alignment: 8)
        starts = .allocate(capacity: names.count + 1)
        var size = 16
        while size < names.count * 4 { size *= 2 }
        mask = size - 1
        table = .allocate(capacity: size)
        table.initialize(repeating: -1, count: size)
        var position = 0
        for (index, name) in bytes.enumerated() {
            starts[index] = position
            name.withUnsafeBytes {
                if let base = $0.baseAddress { (arena + position).copyMemory(from: base, byteCount: $0.count) }
            }
            position += name.count
            var place = Int(truncatingIfNeeded: StableHash.hash(name.span.bytes)) & mask
            while table[place] >= 0 { place = (place + 1) & mask }
            table[place] = Int32(index)
        }
        starts[names.count] = position
    }

    deinit {
        arena.deallocate()
        starts.deallocate()
        table.deallocate()
    }

    @inline(__always)
    private func name(_ index: Int) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: arena + starts[index], count: starts[index + 1] - starts[index])
    }

    /// The place of a name, or −1.
    ///
    /// - Parameter expected: tried first: features mostly come in the model's order.
    @inline(__always)
    func find(_ bytes: UnsafeRawBufferPointer, expected: Int) -> Int {
        if expected < count, name(expected).hasBytes(of: bytes) { return expected }
        var place = Int(truncatingIfNeeded: StableHash.hash(bytes)) & mask
        while table[place] >= 0 {
            let index = Int(table[place])
            if name(index).hasBytes(of: bytes) { return index }
            place = (place &+ 1) & mask
        }
        return -1
    }
}
