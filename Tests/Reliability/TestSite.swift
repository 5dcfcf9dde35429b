import Diagnostics
import Foundation
import Kafka
import TestSupport

/// Where a reliability run takes place: broker, program, model, a folder for everything that is written.
public struct TestSite: Sendable {
    public let bootstrap: String
    /// The `impactiq` program under test.
    public let program: String
    public let model: String
    public let folder: String

    /// - Throws: when the program is not built.
    public init(bootstrap: String, folder: String) throws {
        self.bootstrap = bootstrap
        self.folder = folder
        let root = SharedMaterial.repository.path
        let given = ProcessInfo.processInfo.environment["IMPACTIQ_TEST_PROGRAM"]
        program = given ?? "\(root)/.build/release/impactiq"
        model = "\(root)/examples/demo/demo.model"
        guard FileManager.default.isExecutableFile(atPath: program) else {
            throw ImpactError(
                .failed, code: "missing_program",
                "\(program) is not there: 'swift build -c release' makes it, IMPACTIQ_TEST_PROGRAM names another")
        }
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    }

    public var properties: KafkaProperties { ["bootstrap.servers": bootstrap] }

    /// The environment of a child: this process's without what configures impactiq.
    public func environment(_ more: [String: String] = [:]) -> [String: String] {
        var variables = ProcessInfo.processInfo.environment.filter { !$0.key.hasPrefix("IMPACTIQ_") }
        variables["SWIFT_BACKTRACE"] = "enable=no"
        return variables.merging(more) { $1 }
    }
}
