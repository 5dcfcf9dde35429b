import Foundation

/// `posix_spawn`: Foundation's `Process` needs a run loop to notice its child's end, which a test's thread has not, and waits
/// for a pipe that a server inherits and keeps open.
package enum Spawn {
    package struct Failure: Error, CustomStringConvertible {
        package var description: String
    }

    /// A port of the loopback that nobody has now.
    package static func freePort() -> UInt16? {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, length) == 0 && getsockname(descriptor, $0, &length) == 0
            }
        }
        return isBound ? UInt16(bigEndian: address.sin_port) : nil
    }

    /// Starts a process with nothing on standard input, and without the files that are open here.
    ///
    /// - Parameters:
    ///   - environment: nil is this process's.
    ///   - output: the file that takes standard output, and standard error unless `errors` names another.
    ///   - appends: whether what the files hold stays.
    package static func start(
        _ command: [String], environment: [String: String]? = nil, output: String = "/dev/null", errors: String? = nil,
        appends: Bool = false
    ) throws(Failure) -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        let mode = O_WRONLY | O_CREAT | (appends ? O_APPEND : O_TRUNC)
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, output, mode, 0o600)
        if let errors {
            posix_spawn_file_actions_addopen(&actions, 2, errors, mode, 0o600)
        } else {
            posix_spawn_file_actions_adddup2(&actions, 1, 2)
        }
        // A server that stays behind must not keep the files and locks of those who started the tests. glibc passes over
        // a descriptor that is not open.
        for descriptor: Int32 in 3..<256 { posix_spawn_file_actions_addclose(&actions, descriptor) }
        // The thread that starts it may block signals, as those of Dispatch do; the child must hear them.
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
        let words: [UnsafeMutablePointer<CChar>?] = command.map { strdup($0) } + [nil]
        let given = environment ?? ProcessInfo.processInfo.environment
        let variables: [UnsafeMutablePointer<CChar>?] = given.map { strdup("\($0.key)=\($0.value)") } + [nil]
        defer { for text in words + variables { free(text) } }
        var process: pid_t = 0
        let code = posix_spawn(&process, command[0], &actions, &attributes, words, variables)
        guard code == 0 else {
            throw Failure(description: "cannot start \(command[0]): \(String(cString: strerror(code)))")
        }
        return process
    }

    /// Waits for the end: the exit status, or −1 for a process that a signal ended.
    package static func wait(_ process: pid_t) -> Int32 {
        var status: Int32 = 0
        while waitpid(process, &status, 0) == -1 && errno == EINTR {}
        // wait(2): the low seven bits are the signal, the second byte the exit status.
        return status & 0x7F == 0 ? (status >> 8) & 0xFF : -1
    }

    /// What a finished command left.
    package struct Result: Sendable {
        package var status: Int32
        package var output: [UInt8]
        package var errors: String
        package var text: String { String(decoding: output, as: UTF8.self) }
    }

    /// Runs a command to its end. Its output goes through files, not pipes: what it leaves behind may keep a pipe open.
    package static func run(_ command: [String], environment: [String: String]? = nil) throws -> Result {
        let folder = try TemporaryFolder("spawn")
        let (output, errors) = (folder.file("output"), folder.file("errors"))
        let status = wait(try start(command, environment: environment, output: output, errors: errors))
        return Result(
            status: status, output: [UInt8](try Data(contentsOf: URL(filePath: output))),
            errors: String(decoding: try Data(contentsOf: URL(filePath: errors)), as: UTF8.self))
    }
}
