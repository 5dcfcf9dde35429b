import Foundation
import Synchronization

/// A real Kafka for integration tests: `KAFKA_BOOTSTRAP_SERVERS`, else a cluster of our own from the reference material
/// (`../shared/kafka/broker`), one a test process, started at the first use.
///
/// Ours lives in a private folder and port (`KAFKA_TEST_DIR`, `KAFKA_TEST_PORT` choose them). It stops when the process
/// exits, and also when the process is killed: a watcher outlives it.
package struct TestBroker: Sendable {
    /// For `bootstrap.servers`.
    package let bootstrap: String
    /// The script's environment when the cluster is ours; nil when it was given, and must not be paused or killed.
    private let environment: [String: String]?

    private static let shared = Mutex<TestBroker??>(nil)

    /// The broker, or nil when there is none to have; says `skipped` then.
    package static func start(test: String = #function) -> TestBroker? {
        shared.withLock { slot in
            if slot == nil { slot = .some(make()) }
            guard let broker = slot ?? nil else {
                print("skipped: \(test) needs a Kafka broker: set KAFKA_BOOTSTRAP_SERVERS")
                return nil
            }
            return broker
        }
    }

    /// A topic or group name that no other test has.
    package static func unique(_ name: String) -> String {
        "\(name)-\(UInt32.random(in: 0 ... .max))-\(ProcessInfo.processInfo.processIdentifier)"
    }

    /// A cluster for one test, which may pause and kill it; nil, and says `skipped`, where there is none to have. It is gone
    /// with the process.
    package static func own(test: String = #function) -> TestBroker? {
        var environment = ProcessInfo.processInfo.environment
        for name in ["KAFKA_BOOTSTRAP_SERVERS", "KAFKA_TEST_DIR", "KAFKA_TEST_PORT"] { environment[name] = nil }
        let number = UInt32.random(in: 0 ... .max)
        guard let broker = make(environment, "\(ProcessInfo.processInfo.processIdentifier)-\(number)") else {
            print("skipped: \(test) needs a Kafka broker of its own: the reference material has one")
            return nil
        }
        return broker
    }

    private static func make() -> TestBroker? {
        make(ProcessInfo.processInfo.environment, "\(ProcessInfo.processInfo.processIdentifier)")
    }

    private static func make(_ environment: [String: String], _ name: String) -> TestBroker? {
        if let given = environment["KAFKA_BOOTSTRAP_SERVERS"], !given.isEmpty {
            return TestBroker(bootstrap: given, environment: nil)
        }
        guard let script = script else { return nil }
        let process = ProcessInfo.processInfo.processIdentifier
        var own = environment
        let folder =
            environment["KAFKA_TEST_DIR"]
            ?? FileManager.default.temporaryDirectory.appending(path: "impactiq-kafka-\(name)").path
        own["KAFKA_TEST_DIR"] = folder
        own["KAFKA_TEST_PORT"] = environment["KAFKA_TEST_PORT"] ?? "\(freePort())"
        // A given folder may hold a cluster that runs already and is its owner's to stop.
        let isPrivate = environment["KAFKA_TEST_DIR"] == nil
        if isPrivate { watch(process, script: script, environment: own) }
        let (status, output) = run(script, ["start"], environment: own)
        let lines = output.split(separator: "\n").map(String.init)
        guard status == 0, let bootstrap = lines.last(where: { $0.contains(":") }) else {
            print("the test broker did not start: \(output)")
            return nil
        }
        return TestBroker(bootstrap: bootstrap, environment: own)
    }

    private static var script: String? {
        let root =
            ProcessInfo.processInfo.environment["IMPACTIQ_SHARED"]
            ?? SharedMaterial.repository.deletingLastPathComponent().appending(path: "shared").path
        let script = "\(root)/kafka/broker"
        return FileManager.default.isExecutableFile(atPath: script) ? script : nil
    }

    /// A shell that waits for this process to end, however it ends, and then stops the cluster and deletes its data.
    private static func watch(_ process: Int32, script: String, environment: [String: String]) {
        _ = try? Spawn.start(
            // A session of its own: a signal to the tests' process group must not reach it.
            [
                "/usr/bin/setsid", "/bin/sh", "-c",
                "while kill -0 \(process) 2>/dev/null; do sleep 1; done; exec \"$0\" clean", script,
            ],
            environment: environment, output: "/dev/null")
    }

    private static func run(
        _ script: String, _ arguments: [String], environment: [String: String]
    ) -> (status: Int32, output: String) {
        do {
            let result = try Spawn.run([script] + arguments, environment: environment)
            return (result.status, result.text + result.errors)
        } catch { return (-1, "\(error)") }
    }

    /// A port that was free a moment ago, with the next one (the controller's) free as well.
    private static func freePort() -> Int {
        for _ in 0..<100 {
            let port = Int.random(in: 20_000..<32_000)
            if isFree(port) && isFree(port + 1) { return port }
        }
        return 19_392
    }

    private static func isFree(_ port: Int) -> Bool {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        return withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
    }

    /// Whether the cluster is ours to pause and kill.
    package var isOurs: Bool { environment != nil }

    /// `pause`, `resume`, `kill` or `restart` a node of our cluster. False when the cluster is not ours or it failed.
    @discardableResult
    package func node(_ command: String, _ node: Int = 1) -> Bool {
        guard let environment, let script = Self.script else { return false }
        return Self.run(script, [command, "\(node)"], environment: environment).status == 0
    }
}
