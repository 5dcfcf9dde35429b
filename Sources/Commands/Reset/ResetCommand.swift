import Base
import Foundation
import Kafka
import Pipeline
import Settings
import Terminal

/// `impactiq reset`: forgets an application's offsets and state, so that it starts anew.
enum ResetCommand: Command {
    static let specification = CommandSpecification(
        "reset", "Forget an application's offsets and state, so that it starts anew",
        discussion: """
            Offsets and state belong together: both go. The changelog topic is deleted and made anew with the same \
            settings, the local state folder is emptied, and the group's offsets are set where --to says. Output and \
            dead-letter topics and log stores stay as they are, so what is read again is scored and published again \
            (a log store keeps the row that is there). Refuses while the application runs. Shows what it would do and asks \
            first; without a terminal it only shows, unless --yes is given. Interrupted, it is run again: until it is \
            through, the pipeline refuses to start.
            """,
        options: ConfigurationOptions.options + [
            .value("to", "PLACE", "Where to read from: beginning, end, or a time as 2026-11-28", default: "beginning"),
            .flag("yes", "Do it without asking"),
            .flag("json", "Print what would be or was done as one JSON object"),
        ],
        examples: [
            .init("impactiq reset --config impactiq.properties", "shows what would be done, then asks"),
            .init("impactiq reset --to 2026-11-21T00:00:00Z --yes", "from that time on, with empty state"),
        ])

    static func run(_ command: ParsedCommand) throws {
        let configuration = try ConfigurationOptions.load(command)
        let admin = try Admin(properties: configuration.kafkaProperties(client: "consumer"))
        defer { admin.close() }
        let plan = try ResetPlan(command, configuration, admin)
        let isJSON = command.flag("json")
        if !isJSON { Terminal.Stream.output.write(plan.table.text()) }
        let question = "Reset application \(configuration.applicationID)?"
        let isConfirmed = try Confirmation.ask(question, isGiven: command.flag("yes"), isQuiet: isJSON)
        if isConfirmed {
            // Again: somebody may have started it while the question stood there.
            try ResetPlan.refuseLive(configuration, admin)
            try plan.carryOut(configuration, admin)
            if !isJSON { Terminal.Stream.output.write("done: \(configuration.applicationID) starts anew\n") }
        }
        if isJSON { Terminal.Stream.output.write(plan.json(isDone: isConfirmed).line + "\n") }
    }
}
