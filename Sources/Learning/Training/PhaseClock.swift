import Foundation

/// How long a phase took: of all threads together, and on the clock.
package struct PhaseTime: Sendable {
    package var phase: String
    package var processor: Double
    package var wall: Double
}

/// Measures one phase after the other.
package struct PhaseClock {
    private var processor = PhaseClock.processorSeconds
    private var wall = ContinuousClock.now

    package init() {}

    package mutating func lap(_ phase: String) -> PhaseTime {
        let (now, clock) = (Self.processorSeconds, ContinuousClock.now)
        defer { (processor, wall) = (now, clock) }
        return PhaseTime(phase: phase, processor: now - processor, wall: (clock - wall) / .seconds(1))
    }

    /// Processor time of this process so far, all threads.
    private static var processorSeconds: Double {
        var time = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
    }
}
