import Pipeline

/// The log store's reader inside `run`: nothing when log.store is none.
struct LogStoreFollower {
    static func start(_ configuration: Configuration) throws -> LogStoreFollower? { nil }

    func stop() {}
}
