import Base

/// Where the channel report is, for the dashboard. May wait for a database.
package protocol AttributionSource: Sendable {
    /// Writes the report as `GET /v1/attribution` answers it.
    func write(to out: ByteBuffer) throws(ImpactError)
}

/// `GET /v1/attribution`: credit, cost and revenue by channel, and by day.
struct AttributionRoute: Sendable {
    let source: (any AttributionSource)?

    func answer(_ exchange: Exchange) throws(Problem) {
        guard let source else {
            throw Problem(
                404, "no_attribution",
                "attribution.store is none: set it to the database that 'impactiq attribute follow' or 'attribute run' fills"
            )
        }
        do throws(ImpactError) { try source.write(to: exchange.out) } catch {
            throw Problem(503, error.code, error.message)
        }
    }
}
