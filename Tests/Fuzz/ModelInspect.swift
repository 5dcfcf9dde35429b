// Any bytes as a model file's metadata: what opens can be shown, for people and for machines.
import Commands
import Foundation
import Scoring

private let path = NSTemporaryDirectory() + "/fuzz.model"

@_cdecl("LLVMFuzzerTestOneInput")
package func fuzz(_ data: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    try? Data(bytes: data, count: count).write(to: URL(filePath: path))
    // Without the checksum, which would refuse all but the seeds.
    guard let model = try? Model.open(path: path, verify: .structure) else { return 0 }
    let (text, json) = ModelDescriptions.of(model)
    precondition(!text.isEmpty && (try? JSONSerialization.jsonObject(with: Data(json.utf8))) != nil)
    precondition(
        !text.unicodeScalars.contains { $0.value < 0x20 && $0 != "\n" }, "control characters reach the terminal")
    return 0
}
