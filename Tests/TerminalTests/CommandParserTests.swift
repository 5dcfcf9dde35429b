import Base
import Terminal
import Testing

private let program = CommandSpecification(
    "impactiq", "Streaming uplift scores",
    sharedOptions: [
        .value("config", "FILE", short: "c", "Settings file"),
        .value("set", "KEY=VALUE", "One setting", repeated: true),
    ],
    subcommands: [
        CommandSpecification(
            "generate", "Write synthetic events",
            options: [
                .value("events", "N", "How many", default: "1000"), .value("to", "WHERE", "Target", required: true),
                .value("rate", "R", "Events per second"), .value("for", "TIME", "How long"),
                .flag("json", "Print JSON"),
            ], examples: [.init("impactiq generate --to FILE", "Write to a file")]),
        CommandSpecification(
            "model", "Forest files",
            subcommands: [
                CommandSpecification(
                    "import", "Bring a forest in",
                    subcommands: [
                        CommandSpecification(
                            "econml", "From EconML", options: [.value("out", "MODEL", "File to write")],
                            arguments: [.init("FILE", "The exported forest"), .init("MORE", "More", optional: true)])
                    ])
            ]),
    ])

private func run(_ words: String...) throws -> ParsedCommand {
    guard case .run(let command) = try program.parse(words) else { throw Unexpected() }
    return command
}

private struct Unexpected: Error {}

@Test func optionsInBothSpellingsAndAnyPlace() throws {
    let command = try run("--config", "a", "generate", "--to=x=y", "--set", "k=v", "--events", "1e6", "--set=l=w")
    #expect(command.path == ["impactiq", "generate"])
    #expect(command.text("config") == "a")
    #expect(command.text("to") == "x=y")
    #expect(command.texts("set") == ["k=v", "l=w"])
    #expect(try command.count("events") == 1_000_000)
    #expect(!command.flag("json"))
    #expect(try run("generate", "-c", "b", "--to", "-", "--json").flag("json"))
}

@Test func defaultsAreValuesButNotGiven() throws {
    let command = try run("generate", "--to", "x")
    #expect(try command.count("events") == 1000)
    #expect(!command.isGiven("events"))
    #expect(try command.count("rate") == nil)
    #expect(command.texts("set").isEmpty)
}

@Test func subcommandsNestAndTakeArguments() throws {
    let command = try run("model", "import", "econml", "--out", "m", "--", "--strange")
    #expect(command.name == "model import econml")
    #expect(command.arguments == ["--strange"])
    #expect(try run("model", "import", "econml", "-", "-5").arguments == ["-", "-5"])
}

@Test(arguments: [
    (["generate", "--evnts", "3", "--to", "x"], "unknown_option", "'--events'"),
    (["generate", "--to"], "missing_value", "--to WHERE"),
    (["generate", "--to", "--json"], "missing_value", "--to WHERE"),
    (["generate"], "missing_option", "--to"),
    (["generate", "--to", "a", "--to", "b"], "repeated_option", "--to"),
    (["generate", "--to", "a", "--json=yes"], "unexpected_value", "--json"),
    (["generate", "--to", "a", "extra"], "unexpected_argument", "'extra'"),
    (["generrate"], "unknown_command", "'generate'"),
    (["model", "imprt"], "unknown_command", "'import'"),
    (["model"], "missing_command", "import"),
    (["model", "import", "econml"], "missing_argument", "FILE"),
    (["-z"], "unknown_option", "'-z'"),
])
func mistakesAreNamedAndPointToHelp(words: [String], code: String, names: String) throws {
    let error = #expect(throws: ImpactError.self) { try program.parse(words) }
    #expect(error?.kind == .usage)
    #expect(error?.code == code)
    #expect(error?.message.contains(names) == true)
    #expect(error?.message.contains("--help'") == true)
}

@Test func aWrongValueNamesItsOption() throws {
    let command = try run("generate", "--to", "x", "--rate", "fast", "--for", "30")
    let rate = #expect(throws: ImpactError.self) { try command.count("rate") }
    #expect(rate?.kind == .usage)
    #expect(rate?.message.hasPrefix("--rate 'fast': expected a whole number") == true)
    #expect(rate?.message.contains("impactiq generate --help") == true)
    #expect(throws: ImpactError.self) { try command.milliseconds("for") }
}

@Test func helpWinsOverMistakesAndShowsEverything() throws {
    guard case .help(let text) = try program.parse(["generate", "--wrong", "--help"]) else { throw Unexpected() }
    for part in [
        "Write synthetic events", "Usage: impactiq generate --to WHERE [OPTIONS]", "--events N", "default: 1000",
        "--set KEY=VALUE", "may be repeated", "-h, --help", "# Write to a file", "impactiq generate --to FILE",
    ] { #expect(text.contains(part), "help lacks \(part)") }
    guard case .help(let root) = try program.parse([]) else { throw Unexpected() }
    #expect(root.contains("generate") && root.contains("Forest files"))
    guard case .help(let nested) = try program.parse(["help", "model", "import", "econml"]) else { throw Unexpected() }
    #expect(nested.contains("Usage: impactiq model import econml FILE [MORE] [OPTIONS]"))
    #expect(try program.parse(["model", "import", "econml", "--", "--help"]).isRun)
}

extension CommandRequest {
    fileprivate var isRun: Bool { if case .run = self { true } else { false } }
}
