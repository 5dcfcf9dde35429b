import Base

/// `GET /metrics`: everything that is counted.
struct MetricsRoute: Sendable {
    let service: Service

    func answer(_ exchange: Exchange) {
        exchange.type = .metrics
        if let table = service.live.metrics { MetricsText.write(table, to: exchange.out) }
    }
}

/// Writes the metric table in Prometheus's text format, version 0.0.4.
package enum MetricsText {
    package static func write(_ table: MetricTable, to out: ByteBuffer) {
        for metric in table.metrics {
            let samples = metric.samples
            if samples.isEmpty { continue }
            let about = metric.about
            append(
                "# HELP \(about.name) \(escapedHelp(about.help))\n# TYPE \(about.name) \(about.kind.rawValue)\n", out)
            for sample in samples { write(sample, about, out) }
        }
    }

    private static func write(_ sample: MetricSample, _ about: MetricDescription, _ out: ByteBuffer) {
        let labels = zip(about.labels, sample.labels).map { "\($0)=\"\(escaped($1))\"" }
        switch sample.value {
        case .number(let value):
            append(about.name + braces(labels), out)
            line(value, out)
        case .histogram(let reading):
            var below = 0
            for (index, count) in reading.counts.enumerated() {
                below += count
                let bound = index < reading.bounds.count ? "\(reading.bounds[index])" : "+Inf"
                append("\(about.name)_bucket" + braces(labels + ["le=\"\(bound)\""]), out)
                line(Double(below), out)
            }
            append("\(about.name)_sum" + braces(labels), out)
            line(reading.sum, out)
            append("\(about.name)_count" + braces(labels), out)
            line(Double(reading.count), out)
        }
    }

    private static func braces(_ labels: [String]) -> String {
        labels.isEmpty ? "" : "{\(labels.joined(separator: ","))}"
    }

    private static func line(_ value: Double, _ out: ByteBuffer) {
        out.append(" ")
        if value.isFinite {
            out.append(value)
        } else {
            append(value.isNaN ? "NaN" : value > 0 ? "+Inf" : "-Inf", out)
        }
        out.append("\n")
    }

    private static func append(_ text: String, _ out: ByteBuffer) { out.append(Array(text.utf8)) }

    private static func escaped(_ text: String) -> String {
        text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"").replacing("\n", with: "\\n")
    }

    private static func escapedHelp(_ text: String) -> String {
        text.replacing("\\", with: "\\\\").replacing("\n", with: "\\n")
    }
}
