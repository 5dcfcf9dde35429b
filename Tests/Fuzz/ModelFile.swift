// Opens any bytes as a model file, and scores rows with what opens: no file can crash the reader or a kernel.
import Foundation
import Scoring

private let path = NSTemporaryDirectory() + "/fuzz.model"

@_cdecl("LLVMFuzzerTestOneInput")
package func fuzz(_ data: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    try? Data(bytes: data, count: count).write(to: URL(filePath: path))
    // Without the checksum, which would refuse all but the seeds.
    guard let model = try? Model.open(path: path, verify: .structure) else { return 0 }
    guard model.effectCount < 1000, model.rowStride < 10_000 else { return 0 }
    let rows = 3
    var features = [Float](repeating: 0.25, count: rows * model.rowStride)
    for index in 0..<min(64, features.count) {
        features[index] = [0, -1, .infinity, .nan, 1e30, 0.5, -0.0, 3][index % 8]
    }
    var estimates = [Estimate](repeating: Estimate(effect: 0, standardError: 0), count: rows * model.effectCount)
    for kernel in Kernel.available {
        let scorer = Scorer(model: model, maxRows: rows, kernel: kernel)
        scorer.score(rows: features, stride: model.rowStride, count: rows, into: &estimates)
        scorer.score(rows: features, stride: model.rowStride, count: 1, into: &estimates)
    }
    return 0
}
