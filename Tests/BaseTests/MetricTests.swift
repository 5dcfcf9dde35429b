import Base
import Synchronization
import Testing

@Suite("Metrics")
struct MetricTests {
    private final class Owner: Sendable {
        let messages = Counter("impactiq_messages_total", .count("messages"), help: "Messages")
        let letters = LabeledCounter("impactiq_letters_total", label: "code", values: ["a"], help: "Letters")
        let lag = LabeledGauge("impactiq_lag", labels: ["partition"], .named("lag"), help: "Lag")
        let time = Histogram("impactiq_seconds", unit: .seconds, smallest: 0.001, help: "Time")
    }

    @Test("The table holds each property once, in the order of their declaration")
    func table() {
        let owner = Owner()
        owner.messages.add(3)
        let table = MetricTable(of: owner)
        #expect(
            table.metrics.map(\.about.name) == [
                "impactiq_messages_total", "impactiq_letters_total", "impactiq_lag", "impactiq_seconds",
            ])
        #expect(table.metrics[0].samples == [MetricSample(labels: [], value: .number(3))])
    }

    @Test("Labels: known ones are shown while 0, others when they come; the total is over all")
    func labels() {
        let owner = Owner()
        owner.letters.add(2, "b")
        owner.letters.add(1, "a")
        owner.letters.add(1, at: 0)
        #expect(owner.letters.samples.map(\.labels) == [["a"], ["b"]])
        #expect(owner.letters.samples.map(\.value) == [.number(2), .number(2)])
        #expect(owner.letters.value == 4)
    }

    @Test("A gauge of several owners is the sum, unknown while one part is unknown; an owner that left is gone")
    func gauges() {
        let owner = Owner()
        #expect(owner.lag.total == nil)
        owner.lag.set([(["0"], 5), (["1"], 7)], of: "one")
        owner.lag.set([(["2"], nil)], of: "two")
        #expect(owner.lag.total == nil)
        #expect(owner.lag.samples.count == 2)
        owner.lag.set([(["2"], 1)], of: "two")
        #expect(owner.lag.total == 13)
        owner.lag.set(nil, of: "one")
        #expect(owner.lag.total == nil)
        owner.lag.set([], of: "one")
        #expect(owner.lag.total == 1)
        #expect(owner.lag.samples == [MetricSample(labels: ["2"], value: .number(1))])
    }

    @Test(
        "A quantile is within a quarter octave above the true one",
        arguments: [0.1, 0.9, 1, 1.3, 7, 99, 1_000, 123_456])
    func bounds(milliseconds: Double) throws {
        let distribution = Distribution(smallest: 1.0 / 16)
        distribution.record(milliseconds, count: 10)
        let quantile = try #require(distribution.quantile(0.5, of: distribution.counts))
        #expect(quantile >= milliseconds)
        #expect(quantile <= milliseconds * 1.26)
    }

    @Test("Quantiles split the counts")
    func quantiles() throws {
        let distribution = Distribution(smallest: 1.0 / 16)
        distribution.record(1, count: 99)
        distribution.record(1_000, count: 1)
        let counts = distribution.counts
        #expect(try #require(distribution.quantile(0.99, of: counts)) < 2)
        #expect(try #require(distribution.quantile(0.999, of: counts)) > 900)
        let empty = Distribution(smallest: 1)
        #expect(empty.quantile(0.5, of: empty.counts) == nil)
    }

    @Test("A reading keeps every value: the counts add up, each under its bound, and the sum is the sum")
    func reading() {
        let distribution = Distribution(smallest: 0.001)
        let values = [0.0, 0.0005, 0.0019, 0.0021, 0.5, 1, 3, 1e12]
        for value in values { distribution.record(value) }
        let reading = distribution.reading
        #expect(reading.counts.count == reading.bounds.count + 1)
        #expect(reading.count == values.count)
        #expect(reading.sum == values.reduce(0, +))
        #expect(reading.bounds == reading.bounds.sorted())
        // Prometheus sums over series by bound: an empty one has the same.
        #expect(reading.bounds == Distribution(smallest: distribution.smallest).reading.bounds)
        var below = 0
        for (bound, count) in zip(reading.bounds, reading.counts) {
            below += count
            #expect(below == values.filter { $0 <= bound }.count, "up to \(bound)")
        }
    }
}
