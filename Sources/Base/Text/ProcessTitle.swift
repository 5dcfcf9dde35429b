/// The command line of this process, as `ps` shows it to every user of the machine.
public enum ProcessTitle {
    /// Overwrites the secrets in it: `--set kafka.sasl.password=…`, a database's URL. What the program has read stays.
    public static func hideSecrets() {
        // Copied by the runtime at the first access.
        let words = CommandLine.arguments
        for (i, word) in words.enumerated().dropFirst() {
            let shown = Secrets.masked(commandLine: [word])[0]
            guard shown != word, let bytes = CommandLine.unsafeArgv[i] else { continue }
            let same = zip(shown.utf8, word.utf8).prefix { $0 == $1 }.count
            for place in same..<word.utf8.count { bytes[place] = CChar(UInt8(ascii: "*")) }
        }
    }
}
