import AttributionStore
import Base
import Kafka

/// A broker or a database that is away or locked is asked again, with doubled waits and up to a bound.
struct FollowTrouble {
    /// How long trouble may last, milliseconds.
    let patience: Int64
    /// Whether the database was open once: what is missing before that is a wrong address.
    var wasOpen = false
    private var begun: ContinuousClock.Instant?
    private var told: ContinuousClock.Instant?
    private var tries = 0

    init(patience: Int64) { self.patience = patience }

    private func isPassing(_ error: ImpactError) -> Bool {
        if Admin.isOfBrokers(error) || SQLPlace.isPassing(error) { return true }
        return wasOpen && ["database_open", "database_missing"].contains(error.code)
    }

    static func length(_ duration: Duration) -> String {
        let tenths = Int64((duration / .milliseconds(100)).rounded())
        return "\(tenths / 10).\(tenths % 10) s"
    }

    /// Notes a failed try.
    ///
    /// - Parameter start: when the try began.
    /// - Returns: how long to wait before the next one, milliseconds.
    /// - Throws: what cannot pass, and what has lasted too long.
    mutating func failed(
        _ error: ImpactError, since start: ContinuousClock.Instant, now: ContinuousClock.Instant = .now
    ) throws(ImpactError) -> Int {
        guard isPassing(error) else { throw error }
        let since = begun ?? start
        begun = since
        guard now - since < .milliseconds(patience) else {
            throw ImpactError(
                .failed, code: error.code,
                "\(error.message); gave up after \(Self.length(now - since)), as --patience says. Nothing is lost: start "
                    + "again when it is back")
        }
        tries += 1
        let wait = min(10_000, 100 << min(tries, 10))
        if told.map({ now - $0 > .seconds(10) }) ?? true {
            told = now
            Log.warning("attribution", "\(error.message); for \(Self.length(now - since)) now, trying again")
        }
        return Int(min(Int64(wait), max(1, patience - Int64((now - since) / .milliseconds(1)))))
    }

    /// Notes a step that went well.
    mutating func passed(now: ContinuousClock.Instant = .now) {
        wasOpen = true
        guard let since = begun else { return }
        Log.info("attribution", "it works again after \(Self.length(now - since)) and \(tries) tries")
        (begun, told, tries) = (nil, nil, 0)
    }
}
