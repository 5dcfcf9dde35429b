import Attribution
import Base

/// Whose journeys are read.
package enum JourneyScope: Sendable, Equatable {
    case all
    /// Users with a conversion on or after this local day, and those whose credit does not fit the tables any more: they stand
    /// in the table ``sinceTable``.
    case since(day: Int32)

    package static let sinceTable = "impactiq_since"

    /// Fills the table of a scope that goes on from an earlier run: users with a conversion on or after a day, a conversion that
    /// has no credit (a late one, or one without a journey), or credit of a session that is there no more.
    static func fillSince(_ day: Int32, _ database: any SQLDatabase) throws(ImpactError) {
        try database.execute("DROP TABLE IF EXISTS \(sinceTable)")
        // A day earlier: a text with a zone may name another day than the local one.
        let first = CivilDay.text(day - 1)
        try database.execute(
            """
            CREATE TEMP TABLE \(sinceTable) AS SELECT DISTINCT o.user_id FROM conversions o \
            LEFT JOIN \(ResultTables.credit) a ON a.conv_id = \(database.asText("o.conv_id")) \
            LEFT JOIN session_sources s ON \(database.asText("s.session_id")) = a.session_id AND s.user_id = o.user_id \
            WHERE \(try ConversionRows.day(database)) >= '\(first)' OR a.conv_id IS NULL OR s.session_id IS NULL
            """)
    }

    /// What the scope asks of a column of user ids, beginning with WHERE; empty for all.
    func condition(
        _ column: String, _ database: any SQLDatabase
    ) throws(ImpactError) -> (sql: String, parameters: [SQLValue]) {
        switch self {
        case .all: ("", [])
        case .since: (" WHERE \(column) IN (SELECT user_id FROM \(Self.sinceTable))", [])
        }
    }
}
