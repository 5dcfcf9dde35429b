import Base
// Any text as a configuration file, and as settings: each line is accepted or refused with a reason.
import Settings

@_cdecl("LLVMFuzzerTestOneInput")
package func fuzz(_ data: UnsafePointer<UInt8>, _ size: Int) -> CInt {
    let text = String(decoding: UnsafeBufferPointer(start: data, count: size), as: UTF8.self)
    let lines = text.split(separator: "\n").map(String.init)
    do {
        _ = try PropertiesFile.parse(text, path: "fuzz.properties")
    } catch {
        precondition(!error.message.isEmpty, "refused without a reason")
    }
    do {
        _ = try Configuration(groups: [], file: nil, environment: [:], overrides: lines)
    } catch {
        precondition((error as? ImpactError)?.message.isEmpty == false, "refused without a reason")
    }
    return 0
}
