import Pipeline
import Settings

/// Every module's keys, as `impactiq config` lists them. A module with keys of its own is one line here.
enum ProductSettings {
    static let groups: [any SettingGroup] = Configuration.pipelineGroups + [HTTPSettings(), LogSettings()]
}
