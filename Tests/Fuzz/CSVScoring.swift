// Scores any bytes as a CSV with a small model: a refusal or one line a row, the same in one chunk and in many.
import Foundation
import ModelImport
import Scoring

private let folder = NSTemporaryDirectory() + "/csv"

private let model: Model = {
    let forest = "1 1 2\n3 0\n1 2 1 0.5 1 0\n0 0 0 -1 1 7 1 2 3 4 5 6 1\n0 0 0 -1 1 7 2 2 3 4 5 6 1\n"
    try? FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    _ = FileManager.default.createFile(atPath: "\(folder)/forest.txt", contents: Data(forest.utf8))
    var request = ImportRequest(
        kind: .grf, input: "\(folder)/forest.txt", output: "\(folder)/model", name: "fuzz", version: "1")
    request.featureNames = ["a", "b"]
    guard let summary = try? ModelImporter.run(request), let model = try? Model.open(path: summary.output) else {
        preconditionFailure("the model cannot be made")
    }
    return model
}()

private func score(_ change: (inout CSVOptions) -> Void) -> (rows: Int?, output: [UInt8]) {
    var options = CSVOptions()
    options.threads = 1
    change(&options)
    let output = open("\(folder)/scores", O_RDWR | O_CREAT | O_TRUNC, 0o600)
    defer { close(output) }
    let summary = try? CSVScorer(model: model, options: options).run(input: "\(folder)/rows.csv", output: output)
    // Not FileManager.contents, which leaks a buffer for an empty file.
    var bytes = [UInt8](repeating: 0, count: Int(lseek(output, 0, SEEK_END)))
    return (summary?.rows, pread(output, &bytes, bytes.count, 0) == bytes.count ? bytes : [])
}

@_cdecl("LLVMFuzzerTestOneInput")
package func fuzz(_ data: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    _ = model
    // A header before the bytes, if the first one says so: most inputs would not get beyond it.
    var text = Data(count > 0 && data[0] % 2 == 1 ? Array("id,a,b\n".utf8) : [])
    text.append(data, count: count)
    _ = FileManager.default.createFile(atPath: "\(folder)/rows.csv", contents: text)
    let whole = score { _ in }
    _ = score { $0.format = .jsonLines }
    // A record longer than a chunk is an error; what fits gives the same.
    let pieces = score { $0.recordBytes = 64 }
    if let rows = pieces.rows, rows != whole.rows || pieces.output != whole.output {
        preconditionFailure("chunks change the result")
    }
    return 0
}
