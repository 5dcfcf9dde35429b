import Settings

/// Where scores are stored for people.
package struct LogStoreSettings: SettingGroup {
    package let logStore = SettingKey<LogStoreAddress?>(
        "log.store", "none", "\(LogStores.forms.joined(separator: ", ")), or none"
    ) { (text) throws(SettingProblem) in
        try text == "none" ? nil : LogStoreAddress(parsing: text)
    }
    package let indexesUsers = SettingKey.boolean(
        "log.store.index.users", false, "index the log store by user_id; slower to write")
    package let erasesLogStore = SettingKey.boolean(
        "log.store.erase", false,
        "a user.delete event also deletes the user's rows in the log store (by a tombstone in the output topic)")

    package let requiresLogStore = SettingKey.boolean(
        "log.store.required", false,
        "a log store that fails stops the pipeline; else scoring goes on and the store is tried again")

    package init() {}

    static let shared = LogStoreSettings()
}

extension Configuration {
    package subscript<Value>(dynamicMember path: KeyPath<LogStoreSettings, SettingKey<Value>>) -> Value {
        self[LogStoreSettings.shared[keyPath: path]]
    }
}
