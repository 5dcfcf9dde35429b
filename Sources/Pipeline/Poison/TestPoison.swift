import Foundation

/// `IMPACTIQ_TEST_POISON=TEXT` makes a message that contains the text end the process where an event is parsed: by
/// SIGABRT, or with `IMPACTIQ_TEST_POISON_SIGNAL=9` by SIGKILL. For tests of the quarantine.
enum TestPoison {
    private static let text = ProcessInfo.processInfo.environment["IMPACTIQ_TEST_POISON"].map { Array($0.utf8) }
    private static let signal =
        ProcessInfo.processInfo.environment["IMPACTIQ_TEST_POISON_SIGNAL"].flatMap { Int32($0) } ?? SIGABRT

    static let isArmed = text?.isEmpty == false

    static func taste(_ message: UnsafeRawBufferPointer?) {
        guard let text, let message else { return }
        if message.firstRange(of: text) != nil {
            // On this thread, as a trap would: a signal to the process may reach any other.
            if signal == SIGABRT { abort() }
            kill(getpid(), signal)
            while true { pause() }
        }
    }
}
