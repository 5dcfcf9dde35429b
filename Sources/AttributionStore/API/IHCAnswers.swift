import Attribution
import Base

/// Answers of an IHC API, stored as they come: a table beside the results, so that a run that was killed goes on where it was
/// and nothing that was answered is sent again.
package final class IHCAnswers {
    private static let table = "impactiq_ihc_answers"
    private let database: any SQLDatabase

    package init(_ database: any SQLDatabase) throws(ImpactError) {
        self.database = database
        try database.execute(
            """
            CREATE TABLE IF NOT EXISTS \(Self.table) (conv_id TEXT NOT NULL, session_id TEXT NOT NULL, \
            ihc DOUBLE PRECISION NOT NULL, journey TEXT NOT NULL, PRIMARY KEY (conv_id, session_id))
            """)
    }

    /// The conversions that were answered, each with the mark of the journey that was sent.
    package func answered() throws(ImpactError) -> [String: String] {
        let rows = try database.query("SELECT conv_id, min(journey) FROM \(Self.table) GROUP BY conv_id", [])
        var answered: [String: String] = [:]
        while try rows.next() { answered[rows.text(0) ?? ""] = rows.text(1) ?? "" }
        return answered
    }

    /// Stores the answers of one call in one transaction.
    package func store(_ journeys: [Journey], _ channels: ChannelTable, _ credit: [String: [String: Double]])
        throws(ImpactError)
    {
        try database.transaction(writing: true) { () throws(ImpactError) in
            let insertion = try database.insertion(
                into: Self.table, columns: ["conv_id", "session_id", "ihc", "journey"], suffix: "")
            for journey in journeys {
                guard let id = journey.conversion?.id, let shares = credit[id] else { continue }
                try database.run("DELETE FROM \(Self.table) WHERE conv_id = $1", [.text(id)])
                let mark = Self.mark(journey, channels)
                for touch in journey.touches {
                    try insertion.add([
                        .text(id), .text(touch.session), .double(shares[touch.session] ?? 0), .text(mark),
                    ])
                }
            }
            try insertion.finish()
        }
    }

    /// The weights of a journey's sessions; nil when it was not answered as it is now.
    func weights(of journey: Journey, _ channels: ChannelTable) throws(ImpactError) -> [Double]? {
        let rows = try database.query(
            "SELECT session_id, ihc FROM \(Self.table) WHERE conv_id = $1 AND journey = $2",
            [.text(journey.conversion?.id ?? ""), .text(Self.mark(journey, channels))])
        var shares: [String: Double] = [:]
        while try rows.next() { shares[rows.text(0) ?? ""] = rows.double(1) }
        guard shares.count == journey.touches.count else { return nil }
        return journey.touches.map { max(0, shares[$0.session] ?? 0) }
    }

    /// What was sent, as a digest: a journey that changed is sent again.
    package static func mark(_ journey: Journey, _ channels: ChannelTable) -> String {
        var text = ""
        for touch in journey.touches {
            text += "\(touch.session)\u{0}\(touch.time)\u{0}\(channels[touch.channel])\u{0}\(touch.flags.rawValue)\u{1}"
        }
        return String(SHA256.hex(SHA256.digest(Array(text.utf8))).prefix(32))
    }
}
