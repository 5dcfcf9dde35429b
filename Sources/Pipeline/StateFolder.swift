/// What the engine keeps in `state.dir`.
public enum StateFolder {
    /// Beginnings of the names of files and folders that can be made anew: a reset deletes them.
    public static let ownNames = ["rocksdb-", "poison-"]
}
