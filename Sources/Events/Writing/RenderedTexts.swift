import Base
import JSON

/// Pieces of JSON that are rendered once and copied many times.
///
/// Most are shorter than a cache line, where a call of `memcpy` costs more than the copy: they are copied in blocks of 32
/// bytes, so a copy may write up to ``overshoot`` bytes past its text, for which the caller has room and which the next
/// piece overwrites.
struct RenderedTexts: ~Copyable {
    static let overshoot = 32

    private let bytes: UnsafeMutableRawPointer
    /// Where each text begins, at multiples of a block, and one more for the end.
    private let texts: UnsafeMutableBufferPointer<(start: Int, count: Int)>
    /// Bytes of the longest text.
    let longest: Int

    /// - Parameter render: appends the text of an index to the buffer.
    init(_ count: Int, render: (Int, ByteBuffer) -> Void) {
        let buffer = ByteBuffer()
        texts = .allocate(capacity: max(1, count))
        texts.initialize(repeating: (0, 0))
        var longest = 0
        for i in 0..<count {
            let start = buffer.count
            render(i, buffer)
            texts[i] = (start, buffer.count - start)
            longest = max(longest, buffer.count - start)
            while buffer.count % Self.overshoot != 0 { buffer.append(UInt8(ascii: " ")) }
        }
        self.longest = longest
        bytes = .allocate(byteCount: max(Self.overshoot, buffer.count), alignment: Self.overshoot)
        bytes.copyMemory(from: UnsafeRawPointer(buffer.storage.pointee.base), byteCount: buffer.count)
        self.count = count
    }

    private let count: Int

    deinit {
        bytes.deallocate()
        texts.deallocate()
    }

    /// Copies a text to the cursor and moves it behind.
    @inline(__always)
    func copy(_ index: Int, to cursor: inout UnsafeMutablePointer<UInt8>) {
        precondition(index >= 0 && index < count)
        let text = texts[index]
        let source = bytes + text.start, target = UnsafeMutableRawPointer(cursor)
        var copied = 0
        repeat {
            let block = (source + copied).load(as: SIMD32<UInt8>.self)
            (target + copied).storeBytes(of: block, as: SIMD32<UInt8>.self)
            copied &+= Self.overshoot
        } while copied < text.count
        cursor += text.count
    }
}

extension UnsafeMutablePointer<UInt8> {
    /// Writes UTF-8 bytes as they stand between the quotes of a JSON string and moves behind them; there must be room for
    /// six times their count, and 16 more.
    @inline(__always)
    mutating func appendJSON(_ bytes: UnsafeRawBufferPointer, needsEscape: Bool) {
        guard let source = bytes.baseAddress else { return }
        if needsEscape {
            self += writeEscaped(bytes)
        } else {
            UnsafeMutableRawPointer(self).copyMemory(from: source, byteCount: bytes.count)
            self += bytes.count
        }
    }
}
