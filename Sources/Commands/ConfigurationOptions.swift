import Base
import Foundation
import Kafka
import Pipeline
import Settings
import Terminal

/// `--config FILE` and `--set key=value`, which every command that reads the configuration takes.
enum ConfigurationOptions {
    static let options: [CommandSpecification.Option] = [
        .value("config", "FILE", "Read the configuration from a .properties file"),
        .value("set", "KEY=VALUE", "Set one configuration key; wins over the file and the environment", repeated: true),
    ]

    static func load(_ command: ParsedCommand) throws(ImpactError) -> Configuration {
        let configuration = try Configuration(
            groups: ProductSettings.groups, file: command.text("config"),
            environment: ProcessInfo.processInfo.environment,
            overrides: command.texts("set"))
        try ClientCheck.check(configuration)
        Log.setFormat(configuration.logFormat)
        return configuration
    }
}
