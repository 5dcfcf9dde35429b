// Imports any bytes as a grf forest, plain or gzipped: refused or imported, and then opened, never a crash.
import Foundation
import ModelImport
import Scoring

private let input = NSTemporaryDirectory() + "/forest.txt"
private let output = NSTemporaryDirectory() + "/model"

@_cdecl("LLVMFuzzerTestOneInput")
package func fuzz(_ data: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    try? Data(bytes: data, count: count).write(to: URL(filePath: input))
    let request = ImportRequest(kind: .grf, input: input, output: output, name: "fuzz", version: "1")
    guard let summary = try? ModelImporter.run(request) else { return 0 }
    // What the importer wrote opens.
    guard (try? Model.open(path: summary.output)) != nil else {
        preconditionFailure("the imported model does not open")
    }
    return 0
}
