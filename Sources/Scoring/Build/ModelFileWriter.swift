import Base

/// A model file in the making: an ``OutputFile`` that is digested on the way and gets its header at the end, so that a
/// reader (or a process that has the old one mapped) never sees half a model.
package final class ModelFileWriter {
    private let file: OutputFile
    private let digest = SHA256()
    /// Where the next byte goes in the file.
    package var position: Int { file.position }

    package init(path: String, headerBytes: Int) throws(ImpactError) {
        file = try OutputFile(path, access: .shared)
        try file.append([UInt8](repeating: 0, count: headerBytes))
    }

    package func append(_ bytes: UnsafeRawBufferPointer) throws(ImpactError) {
        digest.update(bytes)
        try file.append(bytes)
    }

    package func append(_ bytes: [UInt8]) throws(ImpactError) {
        digest.update(bytes.span.bytes)
        try file.append(bytes)
    }

    /// Zeros up to `position`.
    package func pad(to position: Int) throws(ImpactError) {
        try append([UInt8](repeating: 0, count: max(0, position - self.position)))
    }

    /// Writes the header that `header` makes of the content's size and digest, and puts the file in place.
    package func finish(_ header: (UInt64, [UInt8]) -> [UInt8], headerBytes: Int) throws(ImpactError) -> [UInt8] {
        let sum = digest.finalize()
        try file.overwrite(header(UInt64(position - headerBytes), sum), at: 0)
        // Written bytes are cached in small pages; `MappedFile` reads them back into huge ones.
        try file.finish(dropsCache: true)
        return sum
    }
}
