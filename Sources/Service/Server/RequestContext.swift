import Base

/// What is known of a request before its body is there. From a pool, for one request at a time.
///
/// @unchecked Sendable: a request is one thread's.
final class RequestContext: @unchecked Sendable {
    let body = ByteBuffer(capacity: 4_096)
    var route: Int?
    /// The route that the request counts as; one with another method has no `route`.
    var countedRoute: Int?
    var isHead = false
    var parameter = ""
    var type: MediaType?
    var isTooLarge = false
    /// Why the request is refused, when that is told after its last byte.
    var refusal: Problem?
    var limit = 0
    var status = 0
    var began: UInt64 = 0
    /// Bytes counted in the server's total.
    var counted = 0
}
