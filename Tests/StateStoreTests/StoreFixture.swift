import Base
import Foundation
import StateStore
import TestSupport

/// A folder of its own for a test's stores.
final class StoreFolder {
    private let folder: TemporaryFolder
    var url: URL { folder.url }
    var path: String { url.appending(path: "rocksdb-0").path }

    init() throws { folder = try TemporaryFolder("store") }

    /// What a process that is killed now leaves behind: the files as they are, the store not closed.
    func killed(_ name: String) throws -> String {
        let copy = url.appending(path: name).path
        try FileManager.default.copyItem(atPath: path, toPath: copy)
        try? FileManager.default.removeItem(atPath: copy + "/LOCK")
        return copy
    }

    func files(in path: String, with suffix: String) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: path).filter { $0.hasSuffix(suffix) }.sorted()
            .map { "\(path)/\($0)" }
    }

    var asides: [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: url.path)) ?? []).filter { $0.contains(".damaged-") }
    }
}

func utf8(_ text: String) -> [UInt8] { Array(text.utf8) }

extension StoreBatch {
    func put(_ partition: Int32, _ user: String, _ record: String?) {
        utf8(user).withUnsafeBytes { user in
            guard let record else { return put(partition, user: user, record: nil) }
            utf8(record).withUnsafeBytes { put(partition, user: user, record: $0) }
        }
    }
}

extension StateStore {
    /// A partition's content.
    func content(_ partition: Int32) throws -> [String: String] {
        let cursor = try records(of: partition)
        var content: [String: String] = [:]
        var hasMore = true
        while hasMore {
            hasMore = try cursor.read(7) { user, record throws(ImpactError) in
                content[String(decoding: user, as: UTF8.self)] = String(decoding: record, as: UTF8.self)
            }
        }
        return content
    }
}

func checkpoint(_ offset: Int64, topic: String = "log") -> Checkpoint {
    Checkpoint(topic: topic, offset: offset, start: 0, time: 1_795_255_200_000, fingerprint: 0xFEED)
}
