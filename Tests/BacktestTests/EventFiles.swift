import Backtest
import Base
import Events
import Foundation
import Simulation
import TestSupport

/// The simulated trial as event files, users split over them.
enum TrialFiles {
    static func write(_ events: Int, files: Int, seed: UInt64, in scratch: TemporaryFolder) throws -> [String] {
        var settings = TrialSettings()
        settings.seed = seed
        settings.users = 500
        settings.duplicates = 0.03
        settings.outOfOrder = 0.05
        settings.invalid = 0.02
        var simulation = try TrialSimulation(settings)
        let buffer = ByteBuffer()
        var texts = [[UInt8]](repeating: [], count: files)
        for _ in 0..<events {
            buffer.removeAll()
            let event = simulation.next(into: buffer)
            let file = event.user < 0 ? 0 : event.user % files
            texts[file] += buffer.bytes(event.value)
            texts[file].append(0x0A)
        }
        return try texts.enumerated().map { index, bytes in
            let path = scratch.file("events-\(index).jsonl")
            try Data(bytes).write(to: URL(filePath: path))
            return path
        }
    }
}

enum Example {
    static let model = SharedMaterial.repository.appending(path: "examples/demo/demo.model").path
}
