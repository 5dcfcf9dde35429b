import Base
import CZlib

/// Bodies compressed with gzip (RFC 1952).
enum Gzip {
    /// Appends the compressed bytes to `out`; false, and nothing appended, when zlib has no memory.
    static func compress(_ bytes: UnsafeRawBufferPointer, level: Int32, into out: ByteBuffer) -> Bool {
        var stream = z_stream()
        // 15 bits of window, and 16 asks for gzip's frame.
        guard
            deflateInit2_(
                &stream, level, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION,
                Int32(MemoryLayout<z_stream>.size)) == Z_OK
        else { return false }
        defer { deflateEnd(&stream) }
        let bound = Int(deflateBound(&stream, UInt(bytes.count)))
        stream.next_in = UnsafeMutablePointer(
            mutating: bytes.baseAddress?.assumingMemoryBound(to: UInt8.self))
        stream.avail_in = UInt32(bytes.count)
        stream.next_out = out.reserve(bound)
        stream.avail_out = UInt32(bound)
        guard deflate(&stream, Z_FINISH) == Z_STREAM_END else { return false }
        out.advance(Int(stream.total_out))
        return true
    }
}
