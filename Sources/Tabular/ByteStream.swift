import Base
import CZlib
import CZstd
import Foundation

/// The bytes of a file, decompressed.
package protocol ByteStream: AnyObject {
    /// Fills some of the buffer, which is not empty; 0 at the end.
    ///
    /// - Throws: `file_damaged`.
    func read(into buffer: UnsafeMutableRawBufferPointer) throws(ImpactError) -> Int
}

package enum ByteStreams {
    /// Tells the kinds apart by their first bytes (RFC 1952; RFC 8878, 3.1.1). `-` is standard input.
    ///
    /// - Parameter isStopped: asked while standard input gives nothing: then it counts as ended.
    package static func open(
        _ path: String, isStopped: @escaping () -> Bool = { false }
    ) throws(ImpactError) -> any ByteStream {
        let descriptor = path == "-" ? dup(STDIN_FILENO) : Foundation.open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw ImpactError(
                .badInput, code: "file_not_readable", "cannot read \(path): \(String(cString: strerror(errno)))")
        }
        // A pipe cannot be read twice, so what was looked at stays in the buffer.
        let input = InputBuffer(descriptor, isStopped: path == "-" ? isStopped : nil)
        try input.fill(atLeast: 4)
        if input.begins(with: [0x28, 0xB5, 0x2F, 0xFD]) { return try ZstdStream(input) }
        if input.begins(with: GzipStream.mark) { return try GzipStream(input) }
        for mark: [UInt8] in [[0xFF, 0xFE], [0xFE, 0xFF]] where input.begins(with: mark) {
            throw ImpactError(
                .badInput, code: "file_encoding",
                "\(path) is UTF-16 (by its byte-order mark): events are UTF-8; convert it "
                    + "with iconv -f UTF-16 -t UTF-8")
        }
        return PlainStream(input)
    }

    enum Kind { case plain, gzip, zstd }

    /// What the first bytes of a file say; a pipe is plain.
    static func kind(_ descriptor: Int32) -> Kind {
        var mark: UInt32 = 0
        guard pread(descriptor, &mark, 4, 0) == 4 else { return .plain }
        if UInt32(littleEndian: mark) == 0xFD2F_B528 { return .zstd }
        return UInt32(littleEndian: mark) & 0xFFFF == 0x8B1F ? .gzip : .plain
    }
}

/// What was read of a file and not used yet. Owns the descriptor.
private final class InputBuffer {
    private let descriptor: Int32
    /// For what may never come to an end by itself.
    private let isStopped: (() -> Bool)?
    private let bytes: UnsafeMutableRawBufferPointer
    private(set) var start = 0
    private(set) var end = 0

    init(_ descriptor: Int32, isStopped: (() -> Bool)?) {
        self.descriptor = descriptor
        self.isStopped = isStopped
        bytes = .allocate(byteCount: max(1 << 18, ZSTD_DStreamInSize()), alignment: 16)
    }

    deinit {
        bytes.deallocate()
        close(descriptor)
    }

    var isEmpty: Bool { start == end }
    var rest: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: bytes[start..<end]) }

    /// The rest as C libraries take it.
    var restBytes: UnsafeMutablePointer<UInt8>? {
        bytes.baseAddress.map { ($0 + start).assumingMemoryBound(to: UInt8.self) }
    }

    func use(_ count: Int) { start += count }

    func begins(with mark: [UInt8]) -> Bool { rest.count >= mark.count && rest.prefix(mark.count).elementsEqual(mark) }

    /// Reads until so many bytes are there, or the file is at its end.
    func fill(atLeast count: Int) throws(ImpactError) {
        if start > 0, let base = bytes.baseAddress {
            memmove(base, base + start, end - start)
            end -= start
            start = 0
        }
        while end < count {
            if let isStopped {
                var waiter = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
                if poll(&waiter, 1, 200) <= 0 {
                    if isStopped() { return }
                    continue
                }
            }
            let read = Foundation.read(descriptor, bytes.baseAddress.map { $0 + end }, bytes.count - end)
            if read < 0, errno == EINTR { continue }
            guard read >= 0 else { throw Self.damaged(String(cString: strerror(errno))) }
            if read == 0 { return }
            end += read
        }
    }

    static func damaged(_ reason: String) -> ImpactError {
        ImpactError(.badInput, code: "file_damaged", "the file is damaged or ends too early (\(reason))")
    }
}

private final class PlainStream: ByteStream {
    private let input: InputBuffer

    init(_ input: InputBuffer) { self.input = input }

    package func read(into buffer: UnsafeMutableRawBufferPointer) throws(ImpactError) -> Int {
        if input.isEmpty { try input.fill(atLeast: 1) }
        let count = min(buffer.count, input.rest.count)
        buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: input.rest[..<count]))
        input.use(count)
        return count
    }
}

/// gzip, also of several members. zlib's own file reader passes over whatever follows the first member and is none, and so
/// takes a damaged second one for the end of the file: here only zeros may follow, which tapes and blocks leave.
private final class GzipStream: ByteStream {
    static let mark: [UInt8] = [0x1F, 0x8B]

    private let input: InputBuffer
    private let stream: UnsafeMutablePointer<z_stream>
    private var isInsideMember = true

    init(_ input: InputBuffer) throws(ImpactError) {
        self.input = input
        stream = .allocate(capacity: 1)
        stream.initialize(to: z_stream())
        // 16 more than the window's 15: a gzip header, and the checksum and the length at its end are compared.
        guard
            inflateInit2_(stream, 15 + 16, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK
        else { throw ImpactError(.failed, code: "file_not_readable", "out of memory") }
    }

    deinit {
        inflateEnd(stream)
        stream.deallocate()
    }

    package func read(into buffer: UnsafeMutableRawBufferPointer) throws(ImpactError) -> Int {
        while true {
            if input.isEmpty { try input.fill(atLeast: 1) }
            guard isInsideMember else {
                guard try beginMember() else { return 0 }
                continue
            }
            if input.isEmpty { throw InputBuffer.damaged("it ends inside a gzip member") }
            let available = input.rest.count
            stream.pointee.next_in = input.restBytes
            stream.pointee.avail_in = UInt32(clamping: available)
            stream.pointee.next_out = buffer.baseAddress?.assumingMemoryBound(to: UInt8.self)
            stream.pointee.avail_out = UInt32(clamping: buffer.count)
            let code = inflate(stream, Z_NO_FLUSH)
            input.use(available - Int(stream.pointee.avail_in))
            let count = buffer.count - Int(stream.pointee.avail_out)
            switch code {
            case Z_STREAM_END: isInsideMember = false
            case Z_OK, Z_BUF_ERROR: break
            default:
                throw InputBuffer.damaged(stream.pointee.msg.map { String(cString: $0) } ?? "zlib error \(code)")
            }
            if count > 0 { return count }
        }
    }

    /// Whether another member follows.
    private func beginMember() throws(ImpactError) -> Bool {
        while true {
            try input.fill(atLeast: 2)
            if input.isEmpty { return false }
            if input.begins(with: Self.mark) {
                inflateReset(stream)
                isInsideMember = true
                return true
            }
            guard let other = input.rest.firstIndex(where: { $0 != 0 }) else {
                input.use(input.rest.count)
                continue
            }
            guard other > 0 else { throw InputBuffer.damaged("what follows a gzip member is not gzip") }
            input.use(other)
        }
    }
}

/// libzstd's streaming decoder, also of several frames. Owns the context.
private final class ZstdStream: ByteStream {
    private let input: InputBuffer
    private let context: OpaquePointer
    private var isInsideFrame = false
    private var holdsMore = false

    init(_ input: InputBuffer) throws(ImpactError) {
        guard let context = ZSTD_createDCtx() else {
            throw ImpactError(.failed, code: "file_not_readable", "out of memory")
        }
        self.input = input
        self.context = context
    }

    deinit { ZSTD_freeDCtx(context) }

    package func read(into buffer: UnsafeMutableRawBufferPointer) throws(ImpactError) -> Int {
        var output = ZSTD_outBuffer(dst: buffer.baseAddress, size: buffer.count, pos: 0)
        while output.pos == 0 {
            if input.isEmpty, !holdsMore {
                try input.fill(atLeast: 1)
                if input.isEmpty {
                    if isInsideFrame { throw InputBuffer.damaged("it ends inside a frame") }
                    return 0
                }
            }
            var source = ZSTD_inBuffer(src: input.rest.baseAddress, size: input.rest.count, pos: 0)
            let hint = ZSTD_decompressStream(context, &output, &source)
            input.use(source.pos)
            guard ZSTD_isError(hint) == 0 else { throw InputBuffer.damaged(String(cString: ZSTD_getErrorName(hint))) }
            isInsideFrame = hint != 0
            // A full buffer: the decoder may hold more, which comes without further input.
            holdsMore = hint != 0 && output.pos == output.size
        }
        return output.pos
    }
}
