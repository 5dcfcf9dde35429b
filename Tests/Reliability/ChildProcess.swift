import Foundation
import Synchronization
import TestSupport

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
        pid = try Spawn.start(command, environment: environment, output: log, appends: true)
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
