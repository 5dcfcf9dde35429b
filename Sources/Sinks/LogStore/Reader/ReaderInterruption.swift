import Base

/// Why the reader's loop left off.
enum ReaderInterruption: Error {
    /// Positions or partitions have changed: look at database and topic again, and go on from there.
    case replan(String)
    /// Asked to stop, and the time is over.
    case stopped
    /// It cannot go on before somebody does what the error says.
    case failed(ImpactError)
}
