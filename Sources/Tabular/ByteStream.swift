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
    /// Tells the kinds apart by their first bytes (RFC 8878, 3.1.1): zlib reads gzip and passes plain bytes through.
    package static func open(_ path: String) throws(ImpactError) -> any ByteStream {
        let descriptor = Foundation.open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw ImpactError(
                .badInput, code: "file_not_readable", "cannot read \(path): \(String(cString: strerror(errno)))")
        }
        if kind(descriptor) == .zstd { return try ZstdStream(descriptor) }
        return try GzipStream(descriptor)
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

/// zlib: gzip, also of several members, or plain. Owns the handle, which owns the descriptor.
private final class GzipStream: ByteStream {
    private let handle: gzFile

    init(_ descriptor: Int32) throws(ImpactError) {
        guard let handle = gzdopen(descriptor, "rb") else {
            close(descriptor)
            throw ImpactError(.failed, code: "file_not_readable", "out of memory")
        }
        gzbuffer(handle, 1 << 18)
        self.handle = handle
    }

    deinit { gzclose_r(handle) }

    package func read(into buffer: UnsafeMutableRawBufferPointer) throws(ImpactError) -> Int {
        let count = gzread(handle, buffer.baseAddress, UInt32(clamping: buffer.count))
        var code: Int32 = 0
        let reason = String(cString: gzerror(handle, &code))
        // A file that ends inside a member gives Z_BUF_ERROR, with what it held before.
        guard count >= 0, code == Z_OK || code == Z_STREAM_END else {
            throw ImpactError(.badInput, code: "file_damaged", "the file is damaged or ends too early (\(reason))")
        }
        return Int(count)
    }
}

/// libzstd's streaming decoder, also of several frames. Owns the context, the descriptor and the input buffer.
private final class ZstdStream: ByteStream {
    private let descriptor: Int32
    private let context: OpaquePointer
    private let input: UnsafeMutableRawBufferPointer
    private var filled = 0
    private var used = 0
    private var isInsideFrame = false
    private var holdsMore = false

    init(_ descriptor: Int32) throws(ImpactError) {
        guard let context = ZSTD_createDCtx() else {
            close(descriptor)
            throw ImpactError(.failed, code: "file_not_readable", "out of memory")
        }
        self.descriptor = descriptor
        self.context = context
        input = .allocate(byteCount: max(1 << 18, ZSTD_DStreamInSize()), alignment: 16)
    }

    deinit {
        ZSTD_freeDCtx(context)
        input.deallocate()
        close(descriptor)
    }

    package func read(into buffer: UnsafeMutableRawBufferPointer) throws(ImpactError) -> Int {
        var output = ZSTD_outBuffer(dst: buffer.baseAddress, size: buffer.count, pos: 0)
        while output.pos == 0 {
            if used == filled, !holdsMore {
                let count = Foundation.read(descriptor, input.baseAddress, input.count)
                if count < 0, errno == EINTR { continue }
                guard count >= 0 else { throw damaged(String(cString: strerror(errno))) }
                if count == 0 {
                    if isInsideFrame { throw damaged("it ends inside a frame") }
                    return 0
                }
                filled = count
                used = 0
            }
            var source = ZSTD_inBuffer(src: input.baseAddress, size: filled, pos: used)
            let hint = ZSTD_decompressStream(context, &output, &source)
            used = source.pos
            guard ZSTD_isError(hint) == 0 else { throw damaged(String(cString: ZSTD_getErrorName(hint))) }
            isInsideFrame = hint != 0
            // A full buffer: the decoder may hold more, which comes without further input.
            holdsMore = hint != 0 && output.pos == output.size
        }
        return output.pos
    }

    private func damaged(_ reason: String) -> ImpactError {
        ImpactError(.badInput, code: "file_damaged", "the file is damaged or ends too early (\(reason))")
    }
}
