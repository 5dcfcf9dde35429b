import Attribution
import AttributionStore
import Base
import JSON
import Service
import Synchronization

/// The channel report of a database, for the dashboard: read at most every two seconds, whoever asks.
final class StoredAttribution: AttributionSource {
    private struct Answer {
        var text: [UInt8]
        var time: ContinuousClock.Instant
    }

    private let place: String
    private let answer = Mutex<Answer?>(nil)

    /// - Throws: `unknown_place` for what is not a database.
    init(_ place: String) throws(ImpactError) {
        guard AttributeInput.isDatabase(place) else {
            throw ImpactError(
                .badConfiguration, code: "attribution_store",
                "attribution.store must be sqlite:PATH, postgresql://… or none, not '\(place.prefix(40))'")
        }
        self.place = place
    }

    /// The source of a setting; nil for none.
    static func of(_ place: String) throws(ImpactError) -> StoredAttribution? {
        place.isEmpty || place == "none" ? nil : try StoredAttribution(place)
    }

    func write(to out: ByteBuffer) throws(ImpactError) {
        let text = try answer.withLock { answer throws(ImpactError) in
            if let answer, ContinuousClock.now - answer.time < .seconds(2) { return answer.text }
            let text = try read()
            answer = Answer(text: text, time: .now)
            return text
        }
        out.append(text)
    }

    private func read() throws(ImpactError) -> [UInt8] {
        let database = try SQLPlace.open(place, creates: false, lockWait: 500)
        let stored = try StoredReport.read(database)
        let run = try StoredReport.lastRun(database)
        let out = ByteBuffer(capacity: 1 << 14)
        out.object {
            out.member("model", run.model)
            out.member("latest_conversion", run.latestConversion.map { Double($0) } ?? .nan)
            out.member("total")
            Self.write(stored.total, to: out)
            // The channels with spend together: what the spend brought.
            if let paid = stored.paid {
                out.member("with_spend")
                Self.write(paid.total, to: out)
            }
            out.member("notes", texts: run.notes)
            out.member("channels")
            out.list(stored.totals) { Self.write($0, to: out) }
            out.member("days")
            out.list(stored.days) { Self.write($0, to: out) }
        }
        return Array(out.bytes)
    }

    private static func write(_ line: ChannelReport.Line, to out: ByteBuffer) {
        out.object {
            if !line.channel.isEmpty { out.member("channel_name", line.channel) }
            if let day = line.day { out.member("date", CivilDay.text(day)) }
            out.member("cost", line.cost.amount)
            out.member("ihc", line.credit)
            out.member("ihc_revenue", line.revenue)
            out.member("cpo", line.cpo ?? .nan)
            out.member("roas", line.roas ?? .nan)
            guard line.scored > 0 else { return }
            out.member("scored_sessions", line.scored)
            out.member("incremental", line.incremental)
            out.member("incremental_std_error", line.incrementalError)
        }
    }
}
