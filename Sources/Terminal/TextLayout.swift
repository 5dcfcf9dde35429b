/// Widths, padding and wrapping of text in terminal columns.
package enum TextLayout {
    /// The columns a text takes: East Asian wide characters and emoji two, combining marks and control characters none.
    ///
    /// Near enough for tables of names and numbers; the ranges are those of Unicode's EastAsianWidth W and F blocks.
    /// The escape codes of ``Style`` take none.
    package static func width(_ text: String) -> Int {
        if text.utf8.allSatisfy({ $0 >= 0x20 && $0 < 0x7F }) { return text.utf8.count }
        var columns = 0
        var escape = EscapeScanner()
        for character in text where !escape.swallows(character) { columns += width(of: character) }
        return columns
    }

    /// Recognises `ESC [ … letter` (ECMA-48 CSI) character by character.
    private struct EscapeScanner {
        private var isInside = false

        mutating func swallows(_ character: Character) -> Bool {
            if character == "\u{1B}" {
                isInside = true
                return true
            }
            guard isInside else { return false }
            if character.isLetter { isInside = false }
            return true
        }
    }

    private static func width(of character: Character) -> Int {
        guard let scalar = character.unicodeScalars.first else { return 0 }
        switch scalar.properties.generalCategory {
        case .control, .nonspacingMark, .enclosingMark, .format: return 0
        default: break
        }
        switch scalar.value {
        case 0x1100...0x115F, 0x2E80...0x303E, 0x3041...0xA4CF, 0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE30...0xFE6F,
            0xFF00...0xFF60, 0xFFE0...0xFFE6, 0x1F300...0x1F64F, 0x1F680...0x1F6FF, 0x1F900...0x1F9FF,
            0x20000...0x3FFFD:
            return 2
        default: return 1
        }
    }

    /// Cuts a text to so many columns; the last one is `…` when something was cut.
    package static func truncate(_ text: String, to columns: Int) -> String {
        guard width(text) > columns else { return text }
        guard columns > 0 else { return "" }
        var result = ""
        var used = 0
        var isFull = false
        var escape = EscapeScanner()
        for character in text {
            // Escape codes after the cut stay, so that colours end where they should.
            if escape.swallows(character) {
                result.append(character)
                continue
            }
            guard !isFull else { continue }
            let next = width(of: character)
            if used + next > columns - 1 {
                isFull = true
                result.append("…")
            } else {
                result.append(character)
                used += next
            }
        }
        return result
    }

    /// Breaks a paragraph at spaces; a word longer than the width stands alone on its line.
    package static func wrap(_ text: String, width limit: Int) -> [String] {
        var lines: [String] = []
        var line = ""
        for word in text.split(separator: " ", omittingEmptySubsequences: true) {
            if !line.isEmpty, width(line) + 1 + width(String(word)) > limit {
                lines.append(line)
                line = ""
            }
            line += line.isEmpty ? String(word) : " \(word)"
        }
        return lines + [line]
    }
}

extension String {
    /// Spaces added on the right up to so many columns.
    package func padding(to columns: Int) -> String {
        self + String(repeating: " ", count: max(0, columns - TextLayout.width(self)))
    }

    /// Spaces added on the left up to so many columns.
    package func padding(leftTo columns: Int) -> String {
        String(repeating: " ", count: max(0, columns - TextLayout.width(self))) + self
    }
}
