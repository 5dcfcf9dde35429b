import Foundation
import Synchronization

/// SIGINT and SIGTERM ask the process to stop: work in hand is finished, committed and the process leaves by itself.
///
/// A second SIGINT (Ctrl-C) leaves at once with status 130. SIGPIPE is ignored, so that writing to a reader that
/// went away is an error the writer sees.
package enum StopSignal {
    private static let raised = Atomic<Bool>(false)
    private static let interrupts = Atomic<Int>(0)
    /// The ends of a pipe: the handler writes one byte that nobody reads, so every waiter wakes, now and later.
    private static let readEnd = Atomic<Int32>(-1)
    private static let writeEnd = Atomic<Int32>(-1)
    /// Whether a ``LiveScreen`` has hidden the cursor, which a forced exit must undo.
    static let cursorHidden = Atomic<Bool>(false)

    /// Takes the signals over; further calls change nothing. Call before threads are started.
    package static func install() {
        guard readEnd.load(ordering: .acquiring) < 0 else { return }
        // Statics are made on first use, which must not happen inside the handler.
        _ = (
            raised.load(ordering: .relaxed), interrupts.load(ordering: .relaxed), cursorHidden.load(ordering: .relaxed)
        )
        var ends: [Int32] = [-1, -1]
        if pipe(&ends) == 0 {
            _ = fcntl(ends[0], F_SETFD, FD_CLOEXEC)
            _ = fcntl(ends[1], F_SETFD, FD_CLOEXEC)
            _ = fcntl(ends[1], F_SETFL, O_NONBLOCK)
            writeEnd.store(ends[1], ordering: .releasing)
            readEnd.store(ends[0], ordering: .releasing)
        }
        var action = sigaction()
        action.__sigaction_handler.sa_handler = { StopSignal.received($0) }
        sigemptyset(&action.sa_mask)
        action.sa_flags = SA_RESTART
        sigaction(SIGINT, &action, nil)
        sigaction(SIGTERM, &action, nil)
        signal(SIGPIPE, SIG_IGN)
    }

    /// Lets SIGINT and SIGTERM end the process at once, for work that a transaction undoes.
    package static func release() {
        signal(SIGINT, SIG_DFL)
        signal(SIGTERM, SIG_DFL)
    }

    /// Whether the process was asked to stop.
    package static var isRaised: Bool { raised.load(ordering: .acquiring) }

    /// Asks the process to stop, as SIGTERM does: the end of `--for`, a failure in another thread.
    package static func raise() {
        raised.store(true, ordering: .releasing)
        wake()
    }

    /// Sleeps until the process is asked to stop, for at most so many milliseconds; whether it was asked.
    @discardableResult
    package static func wait(milliseconds: Int) -> Bool {
        if isRaised { return true }
        let end = ContinuousClock.now + .milliseconds(milliseconds)
        while !isRaised {
            let left = (end - .now) / .milliseconds(1)
            guard left > 0 else { break }
            var waiter = pollfd(fd: readEnd.load(ordering: .acquiring), events: Int16(POLLIN), revents: 0)
            // Without install() the descriptor is −1, which poll ignores: a plain sleep.
            _ = poll(&waiter, 1, Int32(min(left.rounded(.up), 60_000)))
        }
        return isRaised
    }

    /// Runs in the signal handler: only atomics, write and _exit (signal-safety(7)).
    private static func received(_ number: Int32) {
        if number == SIGINT, interrupts.add(1, ordering: .relaxed).newValue > 1 {
            if cursorHidden.load(ordering: .relaxed) { showCursor() }
            _exit(130)
        }
        let saved = errno
        raised.store(true, ordering: .releasing)
        wake()
        errno = saved
    }

    private static func wake() {
        let descriptor = writeEnd.load(ordering: .acquiring)
        guard descriptor >= 0 else { return }
        var byte: UInt8 = 1
        _ = Foundation.write(descriptor, &byte, 1)
    }

    /// ECMA-48 `DECTCEM` set and a line break, as bytes on the stack.
    private static func showCursor() {
        var code: (UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8) = (0x1B, 0x5B, 0x3F, 0x32, 0x35, 0x68, 0x0A)
        _ = Foundation.write(1, &code, 7)
    }
}
