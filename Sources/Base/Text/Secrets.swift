import Foundation

/// What must never be shown: passwords, tokens, private keys. One list and one function for configurations, errors, logs,
/// and process titles.
public enum Secrets {
    public static let mask = "********"

    /// Words whose misspelling is a secret too: `pasword`, `secert`.
    private static let words = ["password", "passphrase", "secret", "credential", "privatekey"]
    /// Words that count as they are: shorter, or with near neighbours that are none.
    private static let exact = [
        "passwd", "pwd", "token", "jaas", "kinit", "keypem", "apikey", "oauthbearerconfig", "extensions",
        "jwt", "signature",
    ]

    /// Whether a key's value must not be shown: the name holds one of the words, letter for letter or nearly so.
    /// Case, dots, dashes and underscores do not matter.
    public static func isSecret(_ name: String) -> Bool {
        let letters = Array(
            name.lowercased().utf8.filter { (97...122).contains($0) || (48...57).contains($0) }.prefix(256))
        if exact.contains(where: { holds(letters, Array($0.utf8)) }) { return true }
        return words.contains { word in
            let word = Array(word.utf8)
            let slips = word.count >= 8 ? 2 : 1
            guard letters.count >= word.count - slips else { return false }
            for length in max(1, word.count - slips)...(word.count + slips) where length <= letters.count {
                for start in 0...(letters.count - length) {
                    let piece = Array(letters[start..<start + length])
                    if NearestName.editDistance(piece, word, atMost: slips) <= slips { return true }
                }
            }
            return false
        }
    }

    private static func holds(_ letters: [UInt8], _ word: [UInt8]) -> Bool {
        guard letters.count >= word.count else { return false }
        return (0...(letters.count - word.count)).contains { letters[$0..<$0 + word.count].elementsEqual(word) }
    }

    /// The value of a key as it may be shown: all of a secret hidden, of another value what ``masked(_:)`` hides.
    public static func masked(_ name: String, _ value: String) -> String {
        if value.isEmpty { return value }
        return isSecret(name) ? mask : masked(message: masked(value))
    }

    /// A text without the secrets that stand in it: a password before an @ (also of a URL with a slip in its scheme), and
    /// the values of `name=value` and `name: value` where the name is a secret's.
    public static func masked(_ text: String) -> String {
        // A key that was pasted where its file's name belongs.
        if text.contains("PRIVATE KEY-----") { return mask }
        return maskedPairs(maskedUser(text))
    }

    /// `scheme://user:password@host`, and `scheme:/user:password@host` or whatever it was meant to be.
    private static func maskedUser(_ text: String) -> String {
        let word = text.prefix { !$0.isWhitespace }
        var start = word.startIndex
        if let scheme = word.firstRange(of: "://") {
            start = scheme.upperBound
        } else if let colon = word.firstIndex(of: ":"), let at = word.lastIndex(of: "@"), colon < at {
            // Whatever follows the first colon may be the password's beginning.
            return text[...colon] + mask + text[at...]
        }
        guard let colon = word[start...].firstIndex(of: ":"),
            let at = endOfPassword(word[start...], after: colon)
        else { return text }
        return text[...colon] + mask + text[at...]
    }

    /// The @ that ends the password which begins after a colon: the last one, for people write a bare @, ? or / into
    /// passwords. After a port an @ stands in the query and is an address.
    private static func endOfPassword(_ rest: Substring, after colon: String.Index) -> String.Index? {
        guard let at = rest.lastIndex(of: "@"), colon < at, !rest[..<colon].contains("@") else { return nil }
        let port = rest[colon...].dropFirst().prefix { !"/?@".contains($0) }
        let isPort = !port.isEmpty && port.allSatisfy(\.isNumber)
        if isPort, !rest.prefix(while: { $0 != "?" }).contains("@") { return nil }
        return at
    }

    private static func maskedPairs(_ text: String) -> String {
        var result = ""
        var rest = Substring(text)
        while let separator = rest.firstIndex(where: { $0 == "=" || $0 == ":" }) {
            let name = rest[..<separator].reversed().prefix { $0.isLetter || $0.isNumber || "._-%".contains($0) }
            let after = rest.index(after: separator)
            result += rest[..<after]
            rest = rest[after...]
            let written = String(name.reversed())
            // libpq decodes names too.
            let isInQuery = result.dropLast(written.count + 1).last.map { "?&".contains($0) } ?? false
            let isSigned = isInQuery && ["sig", "key", "cipher_key"].contains(written.lowercased())
            guard isSigned || isSecret(written.removingPercentEncoding ?? written) else { continue }
            if result.last == ":", rest.first == " " { result.append(rest.removeFirst()) }
            let value = rest.prefix { !$0.isWhitespace && $0 != "&" && $0 != ";" }
            if !value.isEmpty { result += mask }
            rest = rest[value.endIndex...]
        }
        return result + rest
    }

    /// A message as it may be shown: addresses in it without their passwords, wherever they stand, and no pasted key or bearer
    /// token. What errors, logs and librdkafka say goes through this.
    public static func masked(message: String) -> String {
        var text = message
        if let key = text.firstRange(of: "-----BEGIN "), text.contains("PRIVATE KEY-----") {
            text = text[..<key.lowerBound] + mask
        }
        guard text.contains("@") || text.contains("?") || text.contains("=") || text.contains("earer ") else {
            return text
        }
        var result = ""
        var rest = text[...]
        var isToken = false
        while !rest.isEmpty {
            let word = rest.prefix { !$0.isWhitespace }
            if isToken, word.count >= 8 {
                result += mask
            } else if word.contains("://") || word.contains("@") && word.contains(":") || isQuery(word) {
                result += maskedPairs(maskedUser(String(word)))
            } else {
                result += word
            }
            if !word.isEmpty { isToken = word.lowercased().hasSuffix("bearer") }
            rest = rest[word.endIndex...]
            let space = rest.prefix { $0.isWhitespace }
            result += space
            rest = rest[space.endIndex...]
        }
        return result
    }

    /// A query, or libpq's `password=…`.
    private static func isQuery(_ word: Substring) -> Bool {
        guard let equals = word.firstIndex(of: "=") else { return false }
        if word[..<equals].contains("?") { return true }
        let name = word[..<equals].drop { !$0.isLetter }.lowercased()
        return ["password", "sslpassword", "passwd", "pwd"].contains(name)
    }

    /// A command line as it may be shown or kept: the values of `--set key=value` and of URLs without their secrets.
    public static func masked(commandLine words: [String]) -> [String] {
        words.map { word in
            guard let equals = word.firstIndex(of: "="), !word[..<equals].contains("://") else { return masked(word) }
            let name = String(word[..<equals])
            return name + "=" + masked(name, String(word[word.index(after: equals)...]))
        }
    }
}
