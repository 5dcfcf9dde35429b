import Backtest
import Base
import Events
import Foundation
import Simulation
import TestSupport

/// A folder that goes away with its owner.
final class Scratch {
    let path: String

    init() throws {
        path = FileManager.default.temporaryDirectory.appending(path: "impactiq-bt-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func file(_ name: String) -> String { "\(path)/\(name)" }

    @discardableResult
    func write(_ text: String, _ name: String) throws -> String {
        try text.write(toFile: file(name), atomically: false, encoding: .utf8)
        return file(name)
    }
}

/// The simulated trial as event files, users split over them.
enum TrialFiles {
    static func write(_ events: Int, files: Int, seed: UInt64, in scratch: Scratch) throws -> [String] {
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
