extension Model {
    /// Base addresses that the trees are spread over: more than one only for forests beyond 128 MB of tiles, or with
    /// more features than a tile can name.
    public var shardCount: Int { forests.reduce(0) { $0 + $1.shards.count } }
}
