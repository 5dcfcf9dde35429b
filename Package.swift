// swift-tools-version: 6.2
import PackageDescription

// Modules import one way, in the order in which they stand here (see ARCHITECTURE.md).
// Everything compiles in the Swift 6 language mode; a warning fails the build.
let swift: [SwiftSetting] = [
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableExperimentalFeature("Lifetimes"),
]

func library(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: swift)
}

func tests(_ name: String, _ dependencies: [Target.Dependency], exclude: [String] = []) -> Target {
    .testTarget(name: name, dependencies: dependencies + ["TestSupport"], exclude: exclude, swiftSettings: swift)
}

func system(_ name: String, _ pkgConfig: String, _ debianPackage: String) -> Target {
    .systemLibrary(name: name, pkgConfig: pkgConfig, providers: [.apt([debianPackage])])
}

let package = Package(
    name: "ImpactIQ",
    products: [
        .executable(name: "impactiq", targets: ["impactiq"]),
        .executable(name: "impactiq-bench", targets: ["impactiq-bench"]),
    ],
    targets: [
        // C libraries of the system, each behind a module map and a small shim.
        system("CRdkafka", "rdkafka", "librdkafka-dev"),
        system("CSQLite", "sqlite3", "libsqlite3-dev"),
        system("CZip", "libzip", "libzip-dev"),
        system("CZlib", "zlib", "zlib1g-dev"),
        system("CZstd", "libzstd", "libzstd-dev"),
        system("CPostgres", "libpq", "libpq-dev"),
        system("CRocksDB", "rocksdb", "librocksdb-dev"),
        .target(name: "CNumeric"),
        .target(name: "CForest"),
        .target(name: "CRocksDBLog", dependencies: ["CRocksDB"]),
        .target(name: "CBench", dependencies: ["CRdkafka"]),

        // The four stages and what they stand on.
        library("Diagnostics"),
        library("Events", ["CNumeric", "Diagnostics"]),
        library("Kafka", ["CRdkafka", "Diagnostics"]),
        library("Consumer", ["Kafka", "Diagnostics", "CRdkafka"]),
        library("Features", ["Events", "CNumeric", "Diagnostics"]),
        library("StateStore", ["CRocksDB", "CRocksDBLog", "Diagnostics"]),
        library("Tabular", ["Diagnostics", "CNumeric"]),
        library("Scoring", ["Features", "Events", "Tabular", "CNumeric", "CForest", "CZip", "CZlib", "Diagnostics"]),
        library(
            "Sinks",
            [
                "Events", "Scoring", "Consumer", "Kafka", "CRdkafka", "CSQLite", "CPostgres", "CNumeric", "Diagnostics",
            ]),

        // The only module that sees all four stages.
        library(
            "Pipeline",
            ["Consumer", "Features", "StateStore", "Scoring", "Sinks", "Events", "Kafka", "Diagnostics"]),

        // The same processor over a bounded range: replay, training rows.
        library(
            "Backtest",
            [
                "Pipeline", "Sinks", "Scoring", "Features", "Consumer", "Events", "Kafka", "Diagnostics", "CZlib",
                "CZstd",
            ]),

        // Around the core.
        library("Simulation", ["Events", "CNumeric", "Diagnostics"]),
        library("Terminal", ["Diagnostics"]),
        library("Evaluation", ["Tabular", "Terminal", "Diagnostics"]),
        library(
            "Commands",
            [
                "Backtest", "Pipeline", "Simulation", "Evaluation", "Terminal", "Consumer", "Features", "StateStore",
                "Scoring", "Sinks", "Events", "Kafka", "Diagnostics",
            ]),
        .executableTarget(name: "impactiq", dependencies: ["Commands"], swiftSettings: swift),
        .executableTarget(
            name: "impactiq-bench",
            dependencies: [
                "Commands", "Backtest", "Pipeline", "Simulation", "Evaluation", "Terminal", "Consumer", "Features",
                "StateStore", "Scoring", "Sinks", "Events", "Kafka", "Diagnostics", "CBench",
            ], swiftSettings: swift),

        // Tests mirror the sources.
        .target(
            name: "TestSupport", dependencies: ["Diagnostics"], path: "Tests/TestSupport",
            swiftSettings: swift),
        // Kills real processes and compares: the integration tests' short runs and scripts/reliability's long ones.
        .target(
            name: "Reliability",
            dependencies: [
                "Commands", "Pipeline", "Simulation", "Terminal", "Sinks", "Events", "Consumer", "Kafka", "Diagnostics",
                "CSQLite", "CPostgres", "TestSupport",
            ], path: "Tests/Reliability", swiftSettings: swift),
        .executableTarget(
            name: "impactiq-reliability", dependencies: ["Reliability"], path: "Tests/ReliabilityDriver",
            swiftSettings: swift),
        tests("DiagnosticsTests", ["Diagnostics"]),
        tests("EventsTests", ["Events", "CNumeric"]),
        tests("KafkaTests", ["Kafka", "CRdkafka", "Diagnostics"]),
        tests("ConsumerTests", ["Consumer", "Kafka", "CRdkafka", "Diagnostics"]),
        tests("FeaturesTests", ["Features", "Events"]),
        tests("StateStoreTests", ["StateStore", "Diagnostics"]),
        tests("TabularTests", ["Tabular"]),
        tests(
            "ScoringTests",
            ["Scoring", "Features", "Evaluation", "Tabular", "Diagnostics", "CNumeric", "CZip", "CZlib"],
            exclude: ["Resources"]),
        tests(
            "SinksTests",
            ["Sinks", "Consumer", "Kafka", "CRdkafka", "Events", "Diagnostics", "CSQLite", "CPostgres"]),
        tests(
            "PipelineTests",
            ["Pipeline", "Simulation", "StateStore", "Sinks", "Features", "Events", "Kafka", "Diagnostics"]),
        tests(
            "BacktestTests",
            [
                "Backtest", "Pipeline", "Scoring", "Simulation", "Features", "Sinks", "Kafka", "Events", "Diagnostics",
                "CZlib", "CZstd",
            ]),
        tests("SimulationTests", ["Simulation", "Events", "Diagnostics"]),
        tests("EvaluationTests", ["Evaluation", "Tabular", "Terminal", "Diagnostics"]),
        tests("TerminalTests", ["Terminal", "Diagnostics"]),
        tests("CommandsTests", ["Commands", "Simulation", "Events", "Terminal"]),
        tests(
            "IntegrationTests",
            [
                "Commands", "Backtest", "Pipeline", "Simulation", "Evaluation", "Sinks", "Scoring", "Features",
                "StateStore", "Events", "Consumer", "Kafka", "CRdkafka", "Diagnostics", "CSQLite", "Reliability",
            ]),
    ],
    cxxLanguageStandard: .cxx17
)

// The address sanitizer's build is for unit tests alone (scripts/test-asan). Not IMPACTIQ_…: those are the program's own.
if Context.environment["UNIT_TESTS_ONLY"] != nil {
    let others: Set = ["impactiq-bench", "Reliability", "impactiq-reliability", "IntegrationTests"]
    package.targets.removeAll { others.contains($0.name) }
    package.products.removeAll { others.contains($0.name) }
}
