import Base
import Engine
import Features
import Scoring
import Settings

/// What an application has before it asks a broker anything: the configuration checked, the model open, and what pages and
/// metrics look at. So a server can answer while the broker is away.
package struct Preparation: Sendable {
    package let configuration: Configuration
    package let model: Model
    /// The model's features, compiled.
    package let plan: FeaturePlan
    package let metrics: PipelineMetrics
    package let live: LiveTap

    /// - Throws: `badConfiguration`, `badInput` for the model.
    package init(
        _ configuration: Configuration, metrics: PipelineMetrics = PipelineMetrics()
    ) throws(ImpactError) {
        model = try configuration.openModel()
        // A specification that does not compile is better known now than on a worker's thread.
        plan = try Processor.plan(of: model, scoreEvents: configuration.scoreEvents)
        _ = try configuration.workerMemoryBytes()
        try TopicRoles.check(configuration)
        self.configuration = configuration
        self.metrics = metrics
        live = LiveTap(workers: configuration.workers)
    }
}
