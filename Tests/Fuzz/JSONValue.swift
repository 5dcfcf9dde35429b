// Any bytes as a document: what is accepted has canonical bytes that read back as the same document.
import JSON

@_cdecl("LLVMFuzzerTestOneInput")
package func fuzz(_ data: UnsafePointer<UInt8>, _ size: Int) -> CInt {
    let bytes = Array(UnsafeBufferPointer(start: data, count: size))
    guard let value = try? JSONValue(parsing: bytes, name: "input") else { return 0 }
    let canonical = value.canonicalBytes
    guard let again = try? JSONValue(parsing: canonical, name: "canonical") else {
        preconditionFailure("canonical bytes are refused")
    }
    precondition(again.canonicalBytes == canonical, "canonical bytes are not canonical")
    return 0
}
