import Attribution
import Base

/// Whose journeys are read.
package enum JourneyScope: Sendable, Equatable {
    case all
    /// Users with a conversion on or after this local day.
    case since(day: Int32)

    /// What the scope asks of a column of user ids, beginning with WHERE; empty for all.
    func condition(
        _ column: String, _ database: any SQLDatabase
    ) throws(ImpactError) -> (sql: String, parameters: [SQLValue]) {
        switch self {
        case .all: ("", [])
        case .since(let day):
            (
                " WHERE \(column) IN (SELECT user_id FROM conversions WHERE \(try ConversionRows.day(database)) >= $1)",
                [.text(CivilDay.text(day))]
            )
        }
    }
}
