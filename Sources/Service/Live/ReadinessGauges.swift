import Base
import Pipeline

/// Whether the process is at work, and how its partitions stand.
final class ReadinessGauges: Sendable {
    let ready = Gauge("impactiq_ready", help: "1 while the process does its work, 0 while /ready says why not")
    let partitions = LabeledGauge(
        "impactiq_partitions", labels: ["phase"],
        help: "Partitions of this process, by the state of their users' records")

    func look(_ source: (any PipelineSource)?) {
        ready.set(source?.notReady == nil ? 1 : 0)
        guard let source else { return }
        let phases = source.tap.partitions.values
        partitions.set(
            [LiveTap.ShardPhase.ready, .restoring].map { phase in
                (labels: [phase.rawValue], value: Double(phases.count { $0 == phase }))
            }, of: "service")
    }
}
