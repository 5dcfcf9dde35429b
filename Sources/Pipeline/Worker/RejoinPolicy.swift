/// How long a worker that was fenced waits before it joins anew, and when it gives up.
///
/// When brokers fail over, a static member may be fenced though nobody took its place: the new coordinator knows it under
/// another member id than it knows itself. Joining anew mends that at once. Two processes that bear one name, though, fence
/// each other for ever: then the one that has lost several times in a row gives way, with an error that says why.
package struct RejoinPolicy {
    /// A worker that lived longer had joined in earnest; its fence is counted as a first one.
    package static let shortLife = Duration.seconds(30)
    /// Short lives in a row before it gives up.
    package static let limit = 8
    private var shortLives = 0

    package init() {}

    /// The wait before the next life; nil to give up.
    package mutating func wait(afterLifeOf life: Duration) -> Duration? {
        shortLives = life < Self.shortLife ? shortLives + 1 : 1
        if shortLives >= Self.limit { return nil }
        return shortLives == 1 ? .zero : .seconds(min(10, 1 << (shortLives - 2)))
    }
}
