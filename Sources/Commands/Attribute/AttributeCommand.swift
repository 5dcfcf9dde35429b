import Attribution
import AttributionStore
import Base
import Foundation
import JSON
import Terminal

/// `impactiq attribute`: which channel gets the credit, and what an order costs.
enum AttributeCommand: CommandGroup {
    static let subcommands: [any Command.Type] = [
        AttributeRun.self, AttributeFollow.self, AttributeReport.self, AttributeCompare.self, AttributeFitIHC.self,
        AttributeCallIHC.self,
    ]
    static let specification = CommandSpecification(
        "attribute",
        "Which channel gets the credit for each conversion, what an order costs, what would not have happened",
        discussion: """
            Reads sessions and conversions (SQLite, PostgreSQL, CSV, a topic, or a file of paths), makes each conversion's \
            journey, and divides one unit of credit among its sessions. Models: \
            \(ModelKind.allCases.map { "\($0.rawValue) (\($0.summary))" }.joined(separator: "; ")).
            """,
        examples: [
            .init(
                "impactiq attribute run --source sqlite:challenge.db --model ihc",
                "fills attribution_customer_journey and channel_reporting"),
            .init("impactiq attribute compare --source sqlite:challenge.db", "all models side by side"),
        ],
        subcommands: subcommands.specifications)
}
