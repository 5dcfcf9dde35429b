import Base

/// A file of the pages, part of the program: its bytes, also compressed, and the tag by which a browser knows it again.
package final class Asset: Sendable {
    let type: MediaType
    let bytes: [UInt8]
    /// Compressed with gzip; nil when that is not shorter.
    let compressed: [UInt8]?
    /// For `ETag`, quoted.
    let tag: String

    package init(_ type: MediaType, _ text: String) {
        self.type = type
        let bytes = Array(text.utf8)
        self.bytes = bytes
        let out = ByteBuffer(capacity: bytes.count / 2)
        let isCompressed = bytes.withUnsafeBytes { Gzip.compress($0, level: 9, into: out) }
        compressed = isCompressed && out.count < bytes.count ? Array(out.bytes) : nil
        let digest = SHA256()
        digest.update(bytes.span.bytes)
        tag = "\"" + SHA256.hex(digest.finalize()).prefix(20) + "\""
    }
}
