extension String {
    /// The text without spaces and tabs around it.
    package var trimmingSpaces: String {
        var text = self[...]
        while let first = text.first, first == " " || first == "\t" { text.removeFirst() }
        while let last = text.last, last == " " || last == "\t" { text.removeLast() }
        return String(text)
    }
}

extension CSVRecord {
    /// A field's bytes without spaces and tabs around them; doubled quotes stand as they are.
    package func trimmedBytes(_ text: UnsafeRawBufferPointer, _ index: Int) -> Slice<UnsafeRawBufferPointer> {
        let field = self[index]
        var (start, end) = (field.start, field.end)
        while start < end, text[start] == 0x20 || text[start] == 0x09 { start += 1 }
        while start < end, text[end - 1] == 0x20 || text[end - 1] == 0x09 { end -= 1 }
        return text[start..<end]
    }

    /// A field as text, doubled quotes resolved, without spaces and tabs around it.
    package func trimmedText(_ text: UnsafeRawBufferPointer, _ index: Int) -> String {
        self.text(text, index).trimmingSpaces
    }

    /// Why a field is no text; nil when it is one. Bytes that are not UTF-8 would all become the same mark, and different texts one.
    package func textFault(_ text: UnsafeRawBufferPointer, _ index: Int) -> String? {
        let bytes = text[self[index].start..<self[index].end]
        if bytes.contains(0) { return "a NUL byte stands in it" }
        guard bytes.contains(where: { $0 >= 0x80 }) else { return nil }
        return String(validating: bytes, as: UTF8.self) == nil
            ? "its text is not UTF-8; write the file anew in UTF-8 (iconv -f latin1 -t utf8, for one)" : nil
    }

    /// Whether a field's text, without spaces and tabs around it, has these bytes.
    package func isText(_ text: UnsafeRawBufferPointer, _ index: Int, _ wanted: [UInt8]) -> Bool {
        self[index].hasDoubledQuotes
            ? trimmedText(text, index).utf8.elementsEqual(wanted) : trimmedBytes(text, index).elementsEqual(wanted)
    }
}
