import Base

/// Objects and lists, one member per line. For answers and set-up, not for the path of an event.
extension ByteBuffer {
    /// `{…}`
    public func object<Failure: Error>(_ body: () throws(Failure) -> Void) throws(Failure) {
        append("{")
        try body()
        append("}")
    }

    /// `[…]`, an element by each call.
    public func list<Elements: Sequence, Failure: Error>(
        _ elements: Elements, _ body: (Elements.Element) throws(Failure) -> Void
    ) throws(Failure) {
        append("[")
        var isFirst = true
        for element in elements {
            if !isFirst { append(",") }
            isFirst = false
            try body(element)
        }
        append("]")
    }

    /// `"name":`, with a comma before it unless the object has just begun. Its value is next.
    public func member(_ name: String) {
        if bytes.last != UInt8(ascii: "{") { append(",") }
        appendJSONString(name)
        append(":")
    }

    public func member(_ name: String, _ text: String?) {
        member(name)
        if let text { appendJSONString(text) } else { append("null") }
    }

    /// UTF-8; what is not is repaired, since it is shown to people.
    public func member(_ name: String, utf8 text: [UInt8]) { member(name, String(decoding: text, as: UTF8.self)) }

    /// Not a number is `null`.
    public func member(_ name: String, _ number: Double) {
        member(name)
        append(number)
    }

    public func member(_ name: String, _ number: some BinaryInteger) {
        member(name)
        append(Int64(clamping: number))
    }

    public func member(_ name: String, _ truth: Bool) {
        member(name)
        if truth { append("true") } else { append("false") }
    }

    public func member(_ name: String, texts: some Sequence<String>) {
        member(name)
        list(texts) { appendJSONString($0) }
    }
}
