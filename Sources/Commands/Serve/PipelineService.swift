import Base
import Pipeline
import Propensity
import Scoring
import Service
import Settings
import Sinks

/// The HTTP service beside the pipeline of `run` and `demo`. It listens before a broker is asked anything, so that health
/// and metrics can be had while the broker is away.
struct PipelineService {
    private let service: Service
    private let server: HTTPServer
    private let source: ApplicationSource
    private let hasTLS: Bool

    /// The address for a browser on this machine.
    var url: String { server.address.url(tls: hasTLS, hosts: server.options.access.hosts) }

    /// Begins to listen where http.listen says; nil when it says none, or when its default is taken: a second pipeline on
    /// one machine is not an error. An address that somebody chose must be had.
    static func start(
        _ prepared: Preparation, _ logStore: LogStoreReader?
    ) throws(ImpactError) -> PipelineService? {
        let configuration = prepared.configuration
        guard let listen = configuration.httpListen else { return nil }
        do throws(ImpactError) {
            return try PipelineService(prepared, logStore, listen)
        } catch {
            guard error.code == "address_in_use", configuration.entry("http.listen")?.origin == .builtIn else {
                throw error
            }
            Log.warning("http", "no API and no dashboard: \(error.message)")
            return nil
        }
    }

    init(
        _ prepared: Preparation, _ logStore: LogStoreReader?, _ listen: ListenAddress
    ) throws(ImpactError) {
        let configuration = prepared.configuration
        let options = try ServerRequest(configuration, listen).options()
        hasTLS = options.certificate != nil
        let served = ServedModel(
            model: prepared.model, level: try ConfidenceLevel(configuration.confidenceLevel),
            threshold: configuration.decisionThreshold)
        let storeOptions = LogStoreOptions(userIndex: configuration.indexesUsers)
        source = ApplicationSource(prepared, logStore: logStore)
        service = Service(
            served: served, version: CommandLineTool.version, source: source,
            scores: configuration.logStore.map { address in
                ScoreHistory { () throws(LogStoreError) in try address.make(storeOptions) }
            }, attribution: try StoredAttribution.of(configuration.attributionStore),
            impact: try Self.impact(configuration, prepared.model))
        server = try service.start(options)
    }

    private static func impact(
        _ configuration: Configuration, _ model: Model
    ) throws(ImpactError) -> ImpactAnalysis? {
        let file = configuration.impactWeights
        return file.isEmpty ? nil : try of(file, model, "impact.weights")
    }

    /// What ``start(_:_:)`` would refuse, without listening.
    static func check(_ configuration: Configuration) throws(ImpactError) {
        guard let listen = configuration.httpListen else { return }
        _ = try ServerRequest(configuration, listen).options()
        _ = try StoredAttribution.of(configuration.attributionStore)
        // Weights are those of a model's features.
        if !configuration.impactWeights.isEmpty, configuration.entry("model.path")?.value.isEmpty == false {
            _ = try impact(configuration, try configuration.openModel())
        }
    }

    /// - Parameter name: of the setting.
    /// - Throws: `no_response_model` for weights beside a model without probabilities, which no route would use.
    static func of(_ file: String, _ model: Model, _ name: String) throws(ImpactError) -> ImpactAnalysis {
        guard model.predictsProbabilities else {
            throw ImpactError(
                .badConfiguration, code: "no_response_model",
                "\(name)=\(file): \(model.name) is a \(model.kind) model, and only a response model's predictions have impacts; leave it out"
            )
        }
        return try ImpactWeights.read(file, model)
    }

    /// The application is there: the broker has answered.
    func attach(_ application: Application) { source.attach(application) }

    /// Refuses new requests, lets those in hand finish.
    func stop() {
        service.live.stop()
        server.stop()
    }
}
