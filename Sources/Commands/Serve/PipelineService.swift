import Base
import Pipeline
import Propensity
import Scoring
import Service
import Settings
import Sinks

/// The HTTP service beside the pipeline of `run` and `demo`.
struct PipelineService {
    private let service: Service
    private let server: HTTPServer
    private let hasTLS: Bool

    /// The address for a browser on this machine.
    var url: String { server.address.url(tls: hasTLS) }

    /// Begins to listen where http.listen says; nil when it says none, or when its default is taken: a second pipeline on
    /// one machine is not an error. An address that somebody chose must be had.
    static func start(
        _ configuration: Configuration, _ application: Application, _ logStore: LogStoreReader?
    ) throws(ImpactError) -> PipelineService? {
        guard let listen = configuration.httpListen else { return nil }
        do throws(ImpactError) {
            return try PipelineService(configuration, application, logStore, listen)
        } catch {
            guard error.code == "address_in_use", configuration.entry("http.listen")?.origin == .builtIn else {
                throw error
            }
            Log.warning("http", "no API and no dashboard: \(error.message)")
            return nil
        }
    }

    init(
        _ configuration: Configuration, _ application: Application, _ logStore: LogStoreReader?, _ listen: ListenAddress
    ) throws(ImpactError) {
        var request = ServerRequest(listen: listen)
        request.threads = configuration.httpThreads
        request.isOpen = !configuration.httpNeedsToken
        request.tokenFile = configuration.httpTokenFile
        request.hosts = configuration.httpHosts
        request.origins = configuration.httpOrigins
        request.certificate = configuration.httpCertificate
        request.key = configuration.httpKey
        request.tokenName = "http.token.file"
        request.openName = "http.auth=none"
        let options = try request.options()
        hasTLS = options.certificate != nil
        let served = ServedModel(
            model: application.context.model, level: try ConfidenceLevel(configuration.confidenceLevel),
            threshold: configuration.decisionThreshold)
        let storeOptions = LogStoreOptions(userIndex: configuration.indexesUsers)
        service = Service(
            served: served, version: CommandLineTool.version,
            source: ApplicationSource(application, logStore: logStore),
            scores: configuration.logStore.map { address in
                ScoreHistory { () throws(LogStoreError) in try address.make(storeOptions) }
            }, attribution: try StoredAttribution.of(configuration.attributionStore),
            impact: try Self.impact(configuration.impactWeights, served.model))
        server = try service.start(options)
    }

    private static func impact(_ file: String, _ model: Model) throws(ImpactError) -> ImpactAnalysis? {
        file.isEmpty ? nil : try ImpactWeights.read(file, model)
    }

    /// Refuses new requests, lets those in hand finish.
    func stop() {
        service.live.stop()
        server.stop()
    }
}
