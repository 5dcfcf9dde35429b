import Base
import Foundation

/// A file of results: users' data, for the owner alone, in its place only when it is whole. `-` is standard output.
final class ResultFile {
    private let path: String
    private let temporary: String
    private let descriptor: Int32
    private var isDone = false
    private var pending: [UInt8] = []

    init(_ path: String) throws(ImpactError) {
        self.path = path
        if path == "-" {
            temporary = ""
            descriptor = STDOUT_FILENO
        } else {
            temporary = path + ".\(getpid()).part"
            descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
        }
        guard descriptor >= 0 else { throw Self.error(path) }
    }

    deinit {
        guard path != "-" else { return }
        close(descriptor)
        if !isDone { unlink(temporary) }
    }

    func write(_ text: String) throws(ImpactError) {
        pending.append(contentsOf: text.utf8)
        if pending.count > 1 << 16 { try flush() }
    }

    /// Puts the file in its place.
    func finish() throws(ImpactError) {
        try flush()
        guard path != "-" else { return }
        guard fsync(descriptor) == 0, rename(temporary, path) == 0 else { throw Self.error(path) }
        isDone = true
    }

    static func write(_ text: String, to path: String) throws(ImpactError) {
        let file = try ResultFile(path)
        try file.write(text)
        try file.finish()
    }

    private func flush() throws(ImpactError) {
        var start = 0
        while start < pending.count {
            let count = pending.withUnsafeBytes {
                Foundation.write(descriptor, $0.baseAddress! + start, $0.count - start)
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw Self.error(path) }
            start += count
        }
        pending.removeAll(keepingCapacity: true)
    }

    private static func error(_ path: String) -> ImpactError {
        ImpactError(.failed, code: "file_failed", "cannot write \(path): \(String(cString: strerror(errno)))")
    }
}

/// Fields of a CSV that we write.
enum CSVText {
    /// Quoted where RFC 4180 asks for it. A text that a spreadsheet would run as a formula gets a quote before it.
    static func field(_ text: String) -> String {
        var safe = text
        if let first = text.utf8.first, [0x3D, 0x2B, 0x40, 0x2D, 0x09, 0x0D].contains(first) { safe = "'" + text }
        guard safe.utf8.contains(where: { $0 == 0x2C || $0 == 0x22 || $0 == 0x0A || $0 == 0x0D }) else { return safe }
        return "\"" + safe.replacing("\"", with: "\"\"") + "\""
    }

    /// Empty for nil.
    static func number(_ value: Double?) -> String {
        guard let value, value.isFinite else { return "" }
        if let whole = Int(exactly: value), abs(value) < 0x1p53 { return String(whole) }
        return "\(value)"
    }
}
