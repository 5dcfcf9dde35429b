import Foundation
import Pipeline
import Settings

/// Every module's keys, as `impactiq config` lists them. A module with keys of its own is one line here.
enum ProductSettings {
    static let groups: [any SettingGroup] = Configuration.pipelineGroups + [HTTPSettings()]
}

/// The HTTP service.
struct HTTPSettings: SettingGroup {
    let listen = SettingKey(
        "http.listen", "127.0.0.1:8080", "address of the HTTP API; loopback unless told otherwise"
    ) { (text) throws(SettingProblem) in
        guard text.contains(":"), let port = text.split(separator: ":").last.flatMap({ UInt16($0) }) else {
            throw SettingProblem("must be HOST:PORT, as 127.0.0.1:8080")
        }
        return (host: String(text.dropLast(String(port).count + 1)), port: port)
    }
}
