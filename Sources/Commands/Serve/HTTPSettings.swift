import Base
import Service
import Settings

/// The HTTP service beside a pipeline; `serve` has options of the same names.
struct HTTPSettings: SettingGroup {
    let httpListen = SettingKey<ListenAddress?>(
        "http.listen", "127.0.0.1:8080", "address of the HTTP API and the dashboard, or none; port 0 takes a free one"
    ) { (text) throws(SettingProblem) in
        if text == "none" { return nil }
        do throws(ImpactError) { return try ListenAddress(parsing: text) } catch {
            throw SettingProblem("must be HOST:PORT, as 127.0.0.1:8080, or none")
        }
    }
    let httpNeedsToken = SettingKey.choice(
        "http.auth", "token", true: "token", false: "none",
        "whether an address that other machines reach asks for the token of http.token.file")
    let httpTokenFile = SettingKey.text(
        "http.token.file", "", "one line: the token that requests must bear; asked for on loopback too when set")
    let httpHosts = SettingKey.text(
        "http.hosts", "", "names under which the server may be addressed; on loopback its own are added")
    let httpOrigins = SettingKey.text("http.cors.origins", "", "sites whose pages may call the API")
    let httpCertificate = SettingKey.text("http.tls.certificate", "", "TLS: certificate chain, a PEM file")
    let httpKey = SettingKey.text("http.tls.key", "", "TLS: the certificate's private key, a PEM file")
    let attributionStore = SettingKey.text(
        "attribution.store", "none",
        "database whose channel report the dashboard shows, filled by 'impactiq attribute': sqlite:PATH or postgresql://…"
    )
    let impactWeights = SettingKey.text(
        "impact.weights", "",
        "weights and baselines of a response model's impacts: /predict tells them, and log.store keeps each prediction")
    let httpThreads = SettingKey.integer("http.threads", 2, 1...256, "threads that answer requests")

    init() {}

    static let shared = HTTPSettings()
}

/// The process's log.
struct LogSettings: SettingGroup {
    let logFormat = SettingKey.oneOf(
        "log.format", Log.Format.text, "how a line of the log is written: for people, as logfmt, or as JSON")

    init() {}

    static let shared = LogSettings()
}

extension Configuration {
    subscript<Value>(dynamicMember path: KeyPath<HTTPSettings, SettingKey<Value>>) -> Value {
        self[HTTPSettings.shared[keyPath: path]]
    }
    subscript<Value>(dynamicMember path: KeyPath<LogSettings, SettingKey<Value>>) -> Value {
        self[LogSettings.shared[keyPath: path]]
    }
}
