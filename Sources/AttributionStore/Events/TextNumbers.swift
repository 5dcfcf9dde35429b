import Base

/// Numbers texts from 0 on, each once. Keeps its memory when it is emptied.
final class TextNumbers {
    private let bytes = ByteBuffer(capacity: 1 << 16)
    private var ends: [Int] = []
    private var hashes: [UInt64] = []
    /// Open addressing: −1 is free.
    private var slots = [Int32](repeating: -1, count: 1 << 10)

    var count: Int { ends.count }

    func text(_ number: Int) -> UnsafeRawBufferPointer {
        bytes.bytes((number > 0 ? ends[number - 1] : 0)..<ends[number])
    }
    func string(_ number: Int) -> String { String(decoding: text(number), as: UTF8.self) }

    func number(of text: UnsafeRawBufferPointer) -> Int {
        if ends.count * 2 >= slots.count { grow() }
        let hash = StableHash.hash(text)
        var slot = Int(truncatingIfNeeded: hash) & (slots.count - 1)
        while slots[slot] >= 0 {
            let number = Int(slots[slot])
            if hashes[number] == hash, self.text(number).hasBytes(of: text) { return number }
            slot = (slot + 1) & (slots.count - 1)
        }
        slots[slot] = Int32(ends.count)
        bytes.append(text)
        ends.append(bytes.count)
        hashes.append(hash)
        return ends.count - 1
    }

    /// The number of a text that has one.
    func known(_ text: UnsafeRawBufferPointer) -> Int? {
        let hash = StableHash.hash(text)
        var slot = Int(truncatingIfNeeded: hash) & (slots.count - 1)
        while slots[slot] >= 0 {
            let number = Int(slots[slot])
            if hashes[number] == hash, self.text(number).hasBytes(of: text) { return number }
            slot = (slot + 1) & (slots.count - 1)
        }
        return nil
    }

    private func grow() {
        slots = [Int32](repeating: -1, count: slots.count * 2)
        for (number, hash) in hashes.enumerated() {
            var slot = Int(truncatingIfNeeded: hash) & (slots.count - 1)
            while slots[slot] >= 0 { slot = (slot + 1) & (slots.count - 1) }
            slots[slot] = Int32(number)
        }
    }

    func removeAll() {
        bytes.removeAll()
        ends.removeAll(keepingCapacity: true)
        hashes.removeAll(keepingCapacity: true)
        for slot in slots.indices { slots[slot] = -1 }
    }

    /// All numbers, in the order of their texts' bytes.
    func sorted() -> [Int32] {
        (0..<Int32(count)).sorted { Self.precedes(text(Int($0)), text(Int($1))) }
    }

    static func precedes(_ a: UnsafeRawBufferPointer, _ b: UnsafeRawBufferPointer) -> Bool {
        var i = 0
        while i < a.count, i < b.count {
            if a[i] != b[i] { return a[i] < b[i] }
            i += 1
        }
        return a.count < b.count
    }
}
