import Base
import Foundation
import Synchronization

/// A process under test: started with its output in a file, signalled, and waited for.
package final class ChildProcess: Sendable {
    package enum Ending: Equatable, Sendable, CustomStringConvertible {
        case exited(Int32)
        case killed(signal: Int32)

        package var description: String {
            switch self {
            case .exited(let status): "exit status \(status)"
            case .killed(let signal): "signal \(signal)"
            }
        }
    }

    package let pid: pid_t
    /// What it wrote to standard output and standard error.
    package let log: String
    private let ending = Mutex<Ending?>(nil)

    /// - Throws: when the command cannot be started.
    package init(_ command: [String], environment: [String: String], log: String) throws {
        // `posix_spawn`: Foundation's `Process` needs a run loop to notice its child's end.
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, log, O_WRONLY | O_CREAT | O_APPEND, 0o600)
        posix_spawn_file_actions_adddup2(&actions, 1, 2)
        let words: [UnsafeMutablePointer<CChar>?] = command.map { strdup($0) } + [nil]
        let variables: [UnsafeMutablePointer<CChar>?] = environment.map { strdup("\($0.key)=\($0.value)") } + [nil]
        defer { for text in words + variables { free(text) } }
        // The thread that starts it may block signals, as those of Dispatch do; the child must hear them.
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
        var process: pid_t = 0
        let code = posix_spawn(&process, command[0], &actions, &attributes, words, variables)
        guard code == 0 else {
            throw ImpactError(.failed, code: "spawn", "cannot start \(command[0]): \(String(cString: strerror(code)))")
        }
        pid = process
        self.log = log
    }

    deinit {
        if poll() == nil {
            kill(pid, SIGKILL)
            _ = wait(seconds: 10)
        }
    }

    /// How it ended, or nil while it runs.
    package func poll() -> Ending? {
        ending.withLock { ending in
            if let ending { return ending }
            var status: Int32 = 0
            guard waitpid(pid, &status, WNOHANG) == pid else { return nil }
            // wait(2): the low seven bits are the signal, the second byte the exit status.
            ending = status & 0x7F == 0 ? .exited((status >> 8) & 0xFF) : .killed(signal: status & 0x7F)
            return ending
        }
    }

    /// Waits for its end; nil when it still runs after so long.
    package func wait(seconds: Double) -> Ending? {
        let end = ContinuousClock.now + .seconds(seconds)
        while true {
            if let ending = poll() { return ending }
            if ContinuousClock.now >= end { return nil }
            usleep(5_000)
        }
    }

    package var isRunning: Bool { poll() == nil }

    package func signal(_ number: Int32) {
        // After its end the number may be another process's.
        if poll() == nil { kill(pid, number) }
    }

    /// Waits until its output holds the text; false when it ends before, or after so long.
    @discardableResult
    package func says(_ text: String, seconds: Double = 30) -> Bool {
        let end = ContinuousClock.now + .seconds(seconds)
        while ContinuousClock.now < end {
            let isOver = poll() != nil
            if (try? String(contentsOfFile: log, encoding: .utf8))?.contains(text) == true { return true }
            if isOver { return false }
            usleep(10_000)
        }
        return false
    }

    /// The last lines of its output.
    package var tail: String {
        let text = (try? String(contentsOfFile: log, encoding: .utf8)) ?? ""
        return text.split(separator: "\n").suffix(12).joined(separator: "\n")
    }
}
