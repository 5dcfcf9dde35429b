import Consumer

extension Message {
    /// Lends key and value as buffers, nil for Kafka's null; valid within `body`.
    borrowing func withBytes<Result>(
        _ body: (_ key: UnsafeRawBufferPointer?, _ payload: UnsafeRawBufferPointer?) -> Result
    ) -> Result {
        func lend(_ span: RawSpan?, _ use: (UnsafeRawBufferPointer?) -> Result) -> Result {
            guard let span else { return use(nil) }
            return span.withUnsafeBytes { use($0) }
        }
        return lend(key) { key in lend(payload) { payload in body(key, payload) } }
    }
}
