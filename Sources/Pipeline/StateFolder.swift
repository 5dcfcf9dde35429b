import Base
import Foundation
import Settings
import StateStore

/// Where the engine keeps what is local: `state.dir` holds one folder for each application id.
///
/// ```
/// state.dir/APPLICATION/instance-N.id    the process's name, locked while it runs
///                       rocksdb-N        the local copy of the state
///                       poison-….notes   what the workers were handling
/// ```
/// Earlier versions kept these directly in `state.dir`, where two applications discarded each other's copies. What is found
/// there is moved at the first start of the application that it belongs to.
package enum StateFolder {
    /// Beginnings of the names of files and folders that can be made anew: a reset deletes them.
    package static let ownNames = ["rocksdb-", "poison-"]

    /// The folder of a configuration's application.
    package static func path(_ configuration: Configuration) -> String {
        "\(configuration.stateDirectory)/\(name(configuration.applicationID))"
    }

    /// An application id as one folder's name. Kafka's names are plain; anything else is written as `%` and two digits.
    package static func name(_ application: String) -> String {
        var name = ""
        for byte in application.utf8 {
            let isPlain =
                (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
                || byte == 0x5F || byte == 0x2D || byte == 0x2E && !name.isEmpty
            name += isPlain ? String(UnicodeScalar(byte)) : "%" + String(format: "%02X", byte)
        }
        return name.isEmpty ? "%" : name
    }

    /// Folders in which an application's local copies may be: its own, and `state.dir` itself of earlier versions.
    package static func all(_ configuration: Configuration) -> [String] {
        [path(configuration), configuration.stateDirectory]
    }

    /// Makes the application's folder; the first time it takes over what an earlier version left in `state.dir`.
    ///
    /// - Throws: `state_dir_unwritable`; `state_dir_busy` when a process of an earlier version still runs on it.
    package static func prepare(_ configuration: Configuration) throws(ImpactError) -> String {
        let path = path(configuration)
        // A folder in which no process has had a name yet may be that of an interrupted move.
        let names = (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []
        if names.contains(where: { $0.hasPrefix("instance-") && $0.hasSuffix(".id") }) { return path }
        let old = oldNames(in: configuration.stateDirectory)
        let isOurs =
            old.isEmpty
            ? false : try belongs(old, in: configuration.stateDirectory, to: configuration.changelogTopic)
        do {
            try FileManager.default.createDirectory(
                atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
            guard isOurs else { return path }
            // The identities last: as long as one is there, an interrupted move is begun again.
            for name in old.sorted(by: { !$0.hasSuffix(".id") && $1.hasSuffix(".id") }) {
                try FileManager.default.moveItem(
                    atPath: "\(configuration.stateDirectory)/\(name)", toPath: "\(path)/\(name)")
            }
        } catch {
            throw ImpactError(
                .failed, code: "state_dir_unwritable",
                "cannot make the state folder \(path): \(error.localizedDescription); set state.dir")
        }
        Log.info("state", "moved the local state of \(configuration.applicationID) to \(path), a folder of its own")
        return path
    }

    /// What an earlier version kept in `state.dir` itself.
    private static func oldNames(in folder: String) -> [String] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        return names.filter { name in
            (name.hasPrefix("instance-") && name.hasSuffix(".id")) || ownNames.contains { name.hasPrefix($0) }
        }
    }

    /// Whether the copies there are of this changelog. Copies of another application stay, for that application.
    private static func belongs(
        _ names: [String], in folder: String, to changelog: String
    ) throws(ImpactError) -> Bool {
        for name in names where name.hasPrefix("instance-") {
            let descriptor = open("\(folder)/\(name)", O_RDWR | O_CLOEXEC)
            guard descriptor >= 0 else { continue }
            defer { close(descriptor) }
            guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
                throw ImpactError(
                    .failed, code: "state_dir_busy",
                    "\(folder) is in use by a process of an earlier version, which kept its files there directly: stop it "
                        + "first, or set another state.dir")
            }
        }
        for name in names where name.hasPrefix("rocksdb-") && Int(name.dropFirst("rocksdb-".count)) != nil {
            // A copy that cannot be read is of no use to anybody, and is rebuilt by whoever opens it.
            guard let store = try? StateStore.inspect(path: "\(folder)/\(name)") else { continue }
            defer { store.close() }
            guard let partitions = try? store.partitions() else { continue }
            for partition in partitions {
                guard let checkpoint = try? store.checkpoint(of: partition) else { continue }
                if checkpoint.topic != changelog { return false }
            }
        }
        return true
    }
}
