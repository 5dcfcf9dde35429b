// swift-tools-version: 6.2
import PackageDescription

// Modules import one way, in the order in which they stand here (see ARCHITECTURE.md). A module declares what it imports and
// nothing else; CI checks it. Everything compiles in the Swift 6 language mode; a warning fails the build.
let swift: [SwiftSetting] = [
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableExperimentalFeature("Lifetimes"),
]

/// A module of `Sources`; `in` names the folder that it shares with its kin.
func module(_ name: String, in folder: String? = nil, _ dependencies: [Target.Dependency] = []) -> Target {
    .target(
        name: name, dependencies: dependencies, path: "Sources/" + (folder.map { $0 + "/" } ?? "") + name,
        swiftSettings: swift)
}

func program(_ name: String, path: String? = nil, _ dependencies: [Target.Dependency]) -> Target {
    .executableTarget(name: name, dependencies: dependencies, path: path, swiftSettings: swift)
}

func tests(_ name: String, _ dependencies: [Target.Dependency], exclude: [String] = []) -> Target {
    .testTarget(name: name, dependencies: dependencies, exclude: exclude, swiftSettings: swift)
}

/// A library of the system behind a module map and a small shim.
func system(_ name: String, _ pkgConfig: String, _ debianPackage: String) -> Target {
    .systemLibrary(
        name: name, path: "Sources/C/\(name)", pkgConfig: pkgConfig, providers: [.apt([debianPackage])])
}

/// C or C++ of ours.
func c(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .target(name: name, dependencies: dependencies, path: "Sources/C/\(name)")
}

var targets: [Target] = [
    system("CMicroHTTPD", "libmicrohttpd", "libmicrohttpd-dev"),
    system("CCrypto", "libcrypto", "libssl-dev"),
    system("CRdkafka", "rdkafka", "librdkafka-dev"),
    system("CSQLite", "sqlite3", "libsqlite3-dev"),
    system("CZip", "libzip", "libzip-dev"),
    system("CZlib", "zlib", "zlib1g-dev"),
    system("CZstd", "libzstd", "libzstd-dev"),
    system("CPostgres", "libpq", "libpq-dev"),
    system("CRocksDB", "rocksdb", "librocksdb-dev"),
    system("CCurl", "libcurl", "libcurl4-openssl-dev"),
    c("CNumeric"),
    c("CForest"),
    c("CTrees"),
    c("CTraining"),
    c("CRocksDBLog", ["CRocksDB"]),
    c("CBench", ["CRdkafka"]),
]

targets += [
    // What every module stands on.
    module("Base", ["CCrypto", "CNumeric"]),
    module("Terminal", ["Base"]),
    module("JSON", ["Base", "CNumeric"]),
    module("Tabular", ["Base", "CZlib", "CZstd", "CNumeric"]),
    module("Statistics", ["Base"]),
    module("Settings", ["Base"]),
    // Kafka.
    module("Kafka", ["Base", "CRdkafka"]),
    module("Consumer", ["Base", "Kafka", "CRdkafka"]),

    // Events, features, scores: numbers, and nothing that moves bytes.
    module("Events", ["Base", "JSON"]),
    module("Features", ["Base", "JSON", "Events", "CNumeric"]),
    module("Scoring", ["Base", "JSON", "Tabular", "Statistics", "Features", "CNumeric", "CForest"]),
    module("ModelImport", ["Base", "Features", "Scoring", "CZip", "CZlib", "CNumeric"]),
    module("Engine", ["Base", "JSON", "Events", "Features", "Scoring"]),

    // What moves bytes: the live path and replay.
    module(
        "Sinks",
        ["Base", "JSON", "Settings", "Kafka", "Consumer", "Events", "Engine", "CRdkafka", "CSQLite", "CPostgres"]),
    module("StateStore", ["Base", "CRocksDB", "CRocksDBLog"]),
    module(
        "Pipeline",
        [
            "Base", "JSON", "Settings", "Kafka", "Consumer", "Events", "Features", "Scoring", "Engine", "Sinks",
            "StateStore",
        ]),
    module(
        "Backtest",
        [
            "Base", "JSON", "Tabular", "Kafka", "Consumer", "Events", "Features", "Scoring", "Engine", "Sinks",
            "Pipeline",
        ]),

    // Learning: rows to models.
    module("Rows", in: "Learning", ["Base", "Tabular"]),
    module("Trees", in: "Learning", ["Base", "Statistics", "Scoring", "CTrees"]),
    module(
        "Training", in: "Learning",
        ["Base", "Tabular", "Statistics", "Features", "Scoring", "Rows", "Trees", "CTraining"]),

    // Analysis.
    module("Report", ["Statistics"]),
    module("Explain", in: "Analysis", ["Base", "Tabular", "Statistics", "Scoring"]),
    module("Propensity", in: "Learning", ["Base", "Terminal", "JSON", "Statistics", "Scoring", "Trees", "Report"]),
    module("Evaluation", in: "Analysis", ["Base", "Terminal", "Tabular", "Statistics", "Report"]),
    module("Attribution", in: "Analysis", ["Base", "JSON", "Statistics", "Report"]),
    module(
        "AttributionStore",
        ["Base", "JSON", "Events", "Tabular", "Report", "Attribution", "CSQLite", "CZlib", "CPostgres", "CCurl"]),

    // The HTTP API and its pages.
    module(
        "Service",
        [
            "Base", "Terminal", "JSON", "Tabular", "Settings", "Kafka", "Events", "Features", "Scoring", "Engine",
            "Sinks", "Pipeline", "Explain", "Propensity", "CMicroHTTPD", "CZlib",
        ]),

    // The command line.
    module("Simulation", ["Base", "Statistics", "Events"]),
    module(
        "Commands",
        [
            "Base", "Terminal", "JSON", "Tabular", "Statistics", "Settings", "Kafka", "Consumer", "Events", "Features",
            "Scoring", "ModelImport", "Engine", "Sinks", "StateStore", "Pipeline", "Backtest", "Rows", "Training",
            "Report", "Explain", "Propensity", "Evaluation", "Attribution", "AttributionStore", "Service", "Simulation",
        ]),
    program("impactiq", ["Commands"]),
    program(
        "impactiq-bench",
        [
            "Base", "Terminal", "Settings", "Kafka", "Consumer", "Events", "Features", "Scoring", "ModelImport",
            "Engine", "Sinks", "StateStore", "Pipeline", "Backtest", "Trees", "Evaluation", "Simulation", "CBench",
        ]),
]

// Tests mirror the sources. Reliability kills real processes and compares: the integration tests' short runs and
// scripts/reliability's long ones.
targets += [
    .target(name: "TestSupport", dependencies: [], path: "Tests/TestSupport", swiftSettings: swift),
    .target(
        name: "Reliability",
        dependencies: [
            "Base", "Terminal", "Kafka", "Consumer", "Events", "Sinks", "Simulation", "Commands", "CSQLite",
            "CPostgres", "TestSupport",
        ], path: "Tests/Reliability", swiftSettings: swift),
    program("impactiq-reliability", path: "Tests/ReliabilityDriver", ["Reliability"]),
    tests("AttributionTests", ["Statistics", "Attribution"]),
    tests("AttributionStoreTests", ["Base", "JSON", "Statistics", "Attribution", "AttributionStore", "TestSupport"]),
    tests(
        "BacktestTests",
        [
            "Base", "Events", "Features", "Scoring", "Engine", "Sinks", "Pipeline", "Backtest", "Simulation", "CZlib",
            "CZstd", "TestSupport",
        ]),
    tests("BaseTests", ["Base", "Events", "TestSupport"]),
    tests(
        "CommandsTests",
        ["Base", "Terminal", "Events", "Scoring", "AttributionStore", "Simulation", "Commands", "TestSupport"]),
    tests("ConsumerTests", ["Base", "Kafka", "Consumer", "CRdkafka", "TestSupport"]),
    tests("EvaluationTests", ["Base", "Terminal", "Statistics", "Evaluation", "TestSupport"]),
    tests("ExplainTests", ["Base", "Scoring", "Explain", "TestSupport"]),
    tests("EventsTests", ["Base", "JSON", "Events", "TestSupport"]),
    tests("FeaturesTests", ["Base", "JSON", "Events", "Features", "TestSupport"]),
    tests(
        "IntegrationTests",
        [
            "Base", "JSON", "Settings", "Kafka", "Consumer", "Events", "Features", "Scoring", "ModelImport", "Engine",
            "Sinks", "StateStore", "Pipeline", "Backtest", "Evaluation", "AttributionStore", "Simulation", "Commands",
            "CRdkafka", "CSQLite", "TestSupport", "Reliability",
        ]),
    tests("JSONTests", ["Base", "JSON", "Events", "CNumeric", "TestSupport"]),
    tests("KafkaTests", ["Base", "Kafka", "CRdkafka"]),
    tests(
        "PipelineTests",
        ["Base", "Settings", "Kafka", "Events", "Features", "Engine", "Sinks", "StateStore", "Pipeline", "TestSupport"]),
    tests(
        "ScoringTests",
        [
            "Base", "Tabular", "Statistics", "Features", "Scoring", "ModelImport", "Evaluation", "CZip", "CZlib",
            "CNumeric", "TestSupport",
        ], exclude: ["Resources"]),
    tests("RowsTests", ["Base", "Rows", "CZlib"]),
    tests("SettingsTests", ["Base", "Settings", "Sinks", "Pipeline", "TestSupport"]),
    tests("TrainingTests", ["Base", "Tabular", "Statistics", "Scoring", "Rows", "Trees", "Training", "TestSupport"]),
    tests(
        "ServiceTests",
        ["Base", "JSON", "Events", "Scoring", "Engine", "Sinks", "Propensity", "Backtest", "Service", "TestSupport"]),
    tests("SimulationTests", ["Base", "JSON", "Events", "Simulation", "TestSupport"]),
    tests(
        "SinksTests",
        [
            "Base", "JSON", "Settings", "Kafka", "Consumer", "Events", "Sinks", "CRdkafka", "CSQLite", "CPostgres",
            "TestSupport",
        ]),
    tests("StateStoreTests", ["Base", "StateStore", "TestSupport"]),
    tests("TabularTests", ["Tabular", "TestSupport"]),
    tests("TerminalTests", ["Base", "Terminal"]),
    tests("StatisticsTests", ["Statistics"]),
    tests("PropensityTests", ["Base", "Terminal", "Statistics", "Scoring", "Trees", "Propensity", "TestSupport"]),
    tests("TreesTests", ["Base", "Statistics", "Scoring", "Trees", "TestSupport"]),
]

// A part of the package: `ONLY=TrainingTests,impactiq swift build` takes these targets and what they stand on. For work on
// one module, and for the address sanitizer's build (scripts/test-asan). Not IMPACTIQ_…: those variables are the program's.
if let only = Context.environment["ONLY"] {
    var kept: Set<String> = []
    func keep(_ name: String) {
        guard kept.insert(name).inserted, let target = targets.first(where: { $0.name == name }) else { return }
        for case .byNameItem(let dependency, _) in target.dependencies { keep(dependency) }
    }
    for name in only.split(separator: ",") { keep(String(name)) }
    targets.removeAll { !kept.contains($0.name) }
}
if Context.environment["UNIT_TESTS_ONLY"] != nil {
    let others: Set = ["impactiq-bench", "Reliability", "impactiq-reliability", "IntegrationTests"]
    targets.removeAll { others.contains($0.name) }
}

let package = Package(
    name: "ImpactIQ",
    products: ["impactiq", "impactiq-bench"].filter { name in targets.contains { $0.name == name } }
        .map { .executable(name: $0, targets: [$0]) },
    targets: targets, cxxLanguageStandard: .cxx17)
