import Base
import Foundation
import Kafka
import TestSupport

/// Where a reliability run takes place: broker, program, model, a folder for everything that is written.
package struct TestSite: Sendable {
    package let bootstrap: String
    /// The `impactiq` program under test.
    package let program: String
    package let model: String
    package let folder: String

    /// - Throws: when the program is not built.
    package init(bootstrap: String, folder: String) throws {
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

    package var properties: KafkaProperties { ["bootstrap.servers": bootstrap] }

    /// A client for questions and changes, as patient as a machine full of tests needs.
    package func admin(readCommitted: Bool = false) throws -> Admin {
        try Admin(properties: properties, readCommitted: readCommitted, timeoutMilliseconds: 60_000)
    }

    /// Waits until every broker knows these topics: the one that made them tells the others later, and a process that
    /// asks another one would end for the lack of them.
    func awaitTopics(_ topics: [String]) throws {
        let brokers = bootstrap.split(separator: ",")
        if brokers.count == 1 { return }
        for broker in brokers {
            // A client of one address learns the others, but asks the first that answers: itself.
            let admin = try Admin(properties: ["bootstrap.servers": String(broker)])
            defer { admin.close() }
            let deadline = ContinuousClock.now + .seconds(60)
            while try !topics.allSatisfy({ try admin.describe($0) != nil }), ContinuousClock.now < deadline {
                usleep(100_000)
            }
        }
        // What one client saw of one broker, another may not yet see of the next.
        usleep(1_000_000)
    }

    /// The environment of a child: this process's without what configures impactiq.
    package func environment(_ more: [String: String] = [:]) -> [String: String] {
        var variables = ProcessInfo.processInfo.environment.filter { !$0.key.hasPrefix("IMPACTIQ_") }
        variables["SWIFT_BACKTRACE"] = "enable=no"
        return variables.merging(more) { $1 }
    }
}
