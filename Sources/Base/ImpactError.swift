/// An error that a person reads: what happened, to which input, and what to do next.
///
/// `code` is stable and machine-readable (snake_case); `message` names the input (file, line, field, or
/// topic/partition/offset); `kind` decides the exit status of the command.
public struct ImpactError: Error, Sendable, Equatable, CustomStringConvertible {
    /// What went wrong in the eyes of the caller; the raw value is the exit status of the command (sysexits.h).
    public enum Kind: Int32, Sendable {
        /// The work could not be done: a broker away, a disk full.
        case failed = 1
        /// The command line is wrong.
        case usage = 64
        /// The data given is wrong: a damaged model, a CSV with a bad column.
        case badInput = 65
        /// The configuration is wrong.
        case badConfiguration = 78
    }

    public var kind: Kind
    public var code: String
    public var message: String

    public init(_ kind: Kind, code: String, _ message: String) {
        self.kind = kind
        self.code = code
        self.message = message
    }

    public var description: String { message }
}
