/// Where the numbers of an off-policy evaluation come from.
public struct OffPolicyProvenance: Sendable, Equatable {
    /// Heads the report; nil names the policy.
    public var title: String?
    public var columns = DecisionColumns()
    public var dataSHA256: String?
    /// Of the log whose policy is valued, when it is another one.
    public var policySHA256: String?
    /// Of cross-fitting.
    public var seed: UInt64 = 1
    /// The command that made the report, and when; the library asks no clock.
    public var command: String?
    public var time: String?

    public init() {}
}
