/// What the engine keeps in `state.dir`.
package enum StateFolder {
    /// Beginnings of the names of files and folders that can be made anew: a reset deletes them.
    package static let ownNames = ["rocksdb-", "poison-"]
}
