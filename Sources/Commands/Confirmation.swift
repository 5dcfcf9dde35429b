import Foundation
import Terminal

/// Asks before something that cannot be taken back.
enum Confirmation {
    /// Whether to go on: `--yes`, or a person at the terminal who types "yes". Without either, says that nothing was done.
    static func ask(_ question: String, isGiven: Bool, isQuiet: Bool = false) throws -> Bool {
        if isGiven { return true }
        guard !isQuiet, isatty(0) == 1, Terminal.Stream.output.isTerminal else {
            if !isQuiet { Terminal.Stream.output.write("nothing was done: --yes does it\n") }
            return false
        }
        Terminal.Stream.output.write("\(question) Type yes: ")
        if readLine(strippingNewline: true)?.trimmingCharacters(in: .whitespaces) == "yes" { return true }
        Terminal.Stream.output.write("nothing was done\n")
        return false
    }
}
