import Base

/// The tables of a log store, once for both databases.
///
/// `scores` has the names of the score's JSON (design/product.md). The rest is prefixed, since a PostgreSQL schema may
/// hold other tables.
enum ScoresTable {
    /// The SQL type of a column, named by what it holds.
    enum Kind { case text, int32, int64, float64 }

    struct Column: Sendable {
        var name: String
        var kind: Kind
        var isNullable = false
    }

    /// In the order of ``ScoreRows/Row``; both stores bind by place.
    static let columns: [Column] = [
        Column(name: "source_topic", kind: .text),
        Column(name: "source_partition", kind: .int32),
        Column(name: "source_offset", kind: .int64),
        Column(name: "user_id", kind: .text),
        Column(name: "time", kind: .int64),
        Column(name: "event_type", kind: .text),
        Column(name: "treatment", kind: .text, isNullable: true),
        Column(name: "outcome", kind: .text, isNullable: true),
        Column(name: "uplift", kind: .float64),
        Column(name: "std_error", kind: .float64, isNullable: true),
        Column(name: "ci_lower", kind: .float64, isNullable: true),
        Column(name: "ci_upper", kind: .float64, isNullable: true),
        Column(name: "ci_level", kind: .float64, isNullable: true),
        Column(name: "decision", kind: .text),
        Column(name: "model", kind: .text),
        Column(name: "model_version", kind: .text),
        Column(name: "model_sha256", kind: .text),
        Column(name: "effects", kind: .text, isNullable: true),
    ]

    static let columnList = columns.map(\.name).joined(separator: ", ")
    static let primaryKey = "source_topic, source_partition, source_offset"

    /// The statements that lead from one schema version to the next: entry i makes version i + 1.
    ///
    /// Entries are never changed once released; a change of the schema is a new entry.
    static func migrations(_ dialect: Dialect) -> [[String]] {
        let definitions = columns.map { column in
            "\(column.name) \(dialect.type(column))\(column.isNullable ? "" : " NOT NULL")"
        }
        let text = dialect.key
        return [
            [
                """
                CREATE TABLE scores (\(definitions.joined(separator: ", ")), PRIMARY KEY (\(primaryKey)))\(dialect.suffix)
                """,
                """
                CREATE TABLE impactiq_positions (cluster \(text) NOT NULL, topic \(text) NOT NULL, \
                kafka_partition INTEGER NOT NULL, next_offset \(dialect.int64) NOT NULL, \
                PRIMARY KEY (cluster, topic, kafka_partition))\(dialect.suffix)
                """,
                """
                CREATE TABLE impactiq_rejected (cluster \(text) NOT NULL, topic \(text) NOT NULL, \
                kafka_partition INTEGER NOT NULL, kafka_offset \(dialect.int64) NOT NULL, code TEXT NOT NULL, \
                message TEXT NOT NULL, PRIMARY KEY (cluster, topic, kafka_partition, kafka_offset))\(dialect.suffix)
                """,
            ], [StoredPrediction.creation(dialect)],
        ]
    }

    static let userIndex = "CREATE INDEX IF NOT EXISTS scores_user_id ON scores (user_id, time)"

    /// What differs between the databases.
    enum Dialect {
        case sqlite, postgresql

        var int64: String { self == .sqlite ? "INTEGER" : "BIGINT" }
        /// Texts of keys compare by bytes: PostgreSQL's locale order would cost more and mean nothing.
        var key: String { self == .sqlite ? "TEXT" : "TEXT COLLATE \"C\"" }
        /// SQLite: values of the declared types only, and the rows in the primary key's own tree.
        var suffix: String { self == .sqlite ? " STRICT, WITHOUT ROWID" : "" }

        func type(_ column: Column) -> String {
            switch column.kind {
            case .text: column.name == "source_topic" || column.name == "user_id" ? key : "TEXT"
            case .int32: "INTEGER"
            case .int64: int64
            case .float64: self == .sqlite ? "REAL" : "DOUBLE PRECISION"
            }
        }
    }

    /// The message for a database that a newer program has migrated.
    static func newerSchema(_ version: Int, known: Int, place: String) -> LogStoreError {
        LogStoreError(
            "log_store_newer",
            """
            \(place) has schema version \(version); this impactiq knows versions up to \(known). \
            Run the newer impactiq, or give another log.store.
            """, kind: .badConfiguration)
    }
}
