import Base
import Events
import JSON

/// A score that was sampled from the stream, with the user's features a moment later.
struct SampledScore: Sendable {
    var user: [UInt8]
    var time: Int64
    var eventType: String
    var uplift: Double
    var standardError: Double
    var lower: Double
    var upper: Double
    /// `treat`, `suppress` or `uncertain`.
    var decision: String
    /// In the model's order; nil until the worker said.
    var features: [Float]?
    /// How many of the stream's scores it stands for.
    var weight: Double

    init?(json: [UInt8], weight: Double, reader: ScoreReader) {
        self.weight = weight
        let read: Score? = json.withUnsafeBytes { bytes in
            do throws(InputError) { return try reader.read(bytes) } catch { return nil }
        }
        guard let score = read else { return nil }
        user = Array(reader.bytes(score.user))
        time = score.time
        eventType = reader.string(score.eventType)
        uplift = score.uplift
        standardError = score.standardError
        lower = score.lower
        upper = score.upper
        decision = reader.string(score.decision)
    }
}
