import Foundation
import Synchronization

/// Leaves the number of the crashing thread in the poison notes, then lets the crash take its course.
///
/// SIGKILL cannot be caught: a mark tells a crash, which the work itself caused, from a kill, which may be anybody's.
enum CrashMark {
    private static let signals = [SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP]
    private static let place = Atomic<UInt>(0)
    /// The actions before ours, by signal number. Unsafe: written before the first handler is there, only read later.
    private nonisolated(unsafe) static let previous: UnsafeMutablePointer<sigaction> = {
        let actions = UnsafeMutablePointer<sigaction>.allocate(capacity: 65)
        actions.initialize(repeating: sigaction(), count: 65)
        return actions
    }()

    /// Crashes leave their mark here from now on. The memory must stay valid; the last caller wins.
    static func install(at address: UnsafeMutableRawPointer) {
        let isFirst = place.exchange(UInt(bitPattern: address), ordering: .acquiringAndReleasing) == 0
        guard isFirst else { return }
        for number in signals {
            var action = sigaction()
            action.__sigaction_handler.sa_handler = { CrashMark.received($0) }
            sigemptyset(&action.sa_mask)
            // A stack overflow has no room left on its own stack.
            action.sa_flags = SA_ONSTACK
            sigaction(number, &action, &previous[Int(number)])
        }
    }

    static func remove(_ address: UnsafeMutableRawPointer) {
        // Another application of this process may have taken the place.
        _ = place.compareExchange(
            expected: UInt(bitPattern: address), desired: UInt(bitPattern: discard), ordering: .acquiringAndReleasing)
    }

    /// Unsafe: nobody reads it.
    private nonisolated(unsafe) static let discard = UnsafeMutableRawPointer.allocate(byteCount: 8, alignment: 8)

    /// Runs in the signal handler: only memory, sigaction and raise (signal-safety(7)).
    private static func received(_ number: Int32) {
        if let address = UnsafeMutableRawPointer(bitPattern: place.load(ordering: .acquiring)) {
            address.storeBytes(of: UInt(pthread_self()), as: UInt.self)
        }
        sigaction(number, &previous[Int(number)], nil)
        // Blocked until this handler returns; then it reaches whoever handled it before, Swift's backtracer for one.
        raise(number)
    }
}
