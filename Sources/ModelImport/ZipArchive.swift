import Base
import CZip

/// A zip archive opened for reading. Entries are read by name, several at a time.
///
/// Owns libzip's handle; every `ZipEntryReader` keeps its archive alive.
package final class ZipArchive {
    package let path: String
    fileprivate let handle: OpaquePointer

    /// Throws when the file is absent, no zip archive, or cut off (a zip's directory is at its end).
    package init(path: String) throws(ImpactError) {
        var code: Int32 = 0
        guard let handle = zip_open(path, ZIP_RDONLY, &code) else {
            var error = zip_error_t()
            zip_error_init_with_code(&error, code)
            defer { zip_error_fini(&error) }
            let reason = String(cString: zip_error_strerror(&error))
            throw ImpactError(
                .badInput, code: "import_archive", "cannot open \(path) as an .npz (zip) archive: \(reason)")
        }
        self.path = path
        self.handle = handle
    }

    deinit { zip_discard(handle) }

    /// The size of the entry unpacked, in bytes; nil when the archive has no such entry.
    func size(of entry: String) throws(ImpactError) -> Int? {
        var stat = zip_stat_t()
        zip_stat_init(&stat)
        guard zip_stat(handle, entry, 0, &stat) == 0 else { return nil }
        guard stat.valid & UInt64(ZIP_STAT_SIZE) != 0, let size = Int(exactly: stat.size) else {
            throw ImpactError(.badInput, code: "import_archive", "\(path): the size of \(entry) is not known")
        }
        return size
    }
}

/// Reads one entry of an archive from its start to its end. Closes it in `deinit`.
final class ZipEntryReader {
    private let archive: ZipArchive
    private let handle: OpaquePointer
    private let entry: String

    init(_ archive: ZipArchive, entry: String) throws(ImpactError) {
        guard let handle = zip_fopen(archive.handle, entry, 0) else {
            let reason = String(cString: zip_error_strerror(zip_get_error(archive.handle)))
            throw ImpactError(.badInput, code: "import_archive", "\(archive.path): cannot read \(entry): \(reason)")
        }
        self.archive = archive
        self.entry = entry
        self.handle = handle
    }

    deinit { zip_fclose(handle) }

    /// Fills `buffer`; throws when the entry ends before, or is damaged.
    func read(into buffer: UnsafeMutableRawBufferPointer) throws(ImpactError) {
        var done = 0
        while done < buffer.count, let start = buffer.baseAddress {
            let count = zip_fread(handle, start + done, UInt64(buffer.count - done))
            guard count > 0 else {
                throw ImpactError(
                    .badInput, code: "import_truncated",
                    "\(archive.path): \(entry) \(count == 0 ? "ends too early" : "is damaged: \(reason)")")
            }
            done += Int(count)
        }
    }

    /// Reads past the last byte, where libzip compares the checksum of the whole entry.
    func expectEnd() throws(ImpactError) {
        var byte: UInt8 = 0
        let count = zip_fread(handle, &byte, 1)
        guard count == 0 else {
            throw ImpactError(
                .badInput, code: "import_archive",
                "\(archive.path): \(entry) \(count > 0 ? "is longer than its header says" : "is damaged: \(reason)")")
        }
    }

    private var reason: String { String(cString: zip_error_strerror(zip_file_get_error(handle))) }
}
