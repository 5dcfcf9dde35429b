import Pipeline
import Testing

@Suite("Latency histogram")
struct LatencyHistogramTests {
    @Test(
        "A quantile is within a quarter octave above the true one",
        arguments: [0.1, 0.9, 1, 1.3, 7, 99, 1_000, 123_456])
    func bounds(milliseconds: Double) throws {
        let histogram = LatencyHistogram()
        histogram.record(milliseconds: milliseconds, count: 10)
        let quantile = try #require(LatencyHistogram.quantile(0.5, of: histogram.snapshot()))
        #expect(quantile >= milliseconds)
        #expect(quantile <= milliseconds * 1.26)
    }

    @Test("Quantiles split the counts")
    func quantiles() throws {
        let histogram = LatencyHistogram()
        histogram.record(milliseconds: 1, count: 99)
        histogram.record(milliseconds: 1_000, count: 1)
        let counts = histogram.snapshot()
        #expect(try #require(LatencyHistogram.quantile(0.99, of: counts)) < 2)
        #expect(try #require(LatencyHistogram.quantile(0.999, of: counts)) > 900)
        #expect(LatencyHistogram.quantile(0.5, of: LatencyHistogram().snapshot()) == nil)
    }
}
