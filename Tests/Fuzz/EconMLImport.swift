// Imports any bytes as an EconML .npz: refused or imported, and then opened, never a crash.
//
// An archive's checksums and directory would stop most changed bytes, so an input whose first byte is odd is not an
// archive but its arrays: each is a 16-bit length and that many bytes of .npy, in the order of `names`.
import CZip
import Foundation
import ModelImport
import Scoring

private let input = NSTemporaryDirectory() + "/forest.npz"
private let output = NSTemporaryDirectory() + "/model"
private let names = [
    "offsets", "left", "right", "feature", "threshold", "jac", "precond", "p", "q", "subforest_size", "metadata",
    "feature_importance",
]

private func writeArchive(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
    unlink(input)
    var code: Int32 = 0
    guard let archive = zip_open(input, ZIP_CREATE, &code) else { return false }
    var at = 0
    for name in names where at + 2 <= bytes.count {
        let length = min(Int(bytes[at]) | Int(bytes[at + 1]) << 8, bytes.count - at - 2)
        let source = zip_source_buffer(archive, bytes.baseAddress! + at + 2, UInt64(length), 0)
        let index = zip_file_add(archive, "\(name).npy", source, 0)
        if index >= 0 { zip_set_file_compression(archive, UInt64(index), ZIP_CM_STORE, 0) }
        at += 2 + length
    }
    return zip_close(archive) == 0
}

@_cdecl("LLVMFuzzerTestOneInput")
package func fuzz(_ data: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    if count > 0, data[0] % 2 == 1 {
        guard writeArchive(UnsafeBufferPointer(start: data + 1, count: count - 1)) else { return 0 }
    } else {
        try? Data(bytes: data, count: count).write(to: URL(filePath: input))
    }
    var request = ImportRequest(kind: .econml, input: input, output: output, name: "fuzz", version: "1")
    if count > 1, data[1] % 2 == 0 { request.featureNames = ["age", "spend"] }
    guard let summary = try? ModelImporter.run(request) else { return 0 }
    // What the importer wrote opens.
    guard (try? Model.open(path: summary.output)) != nil else {
        preconditionFailure("the imported model does not open")
    }
    return 0
}
