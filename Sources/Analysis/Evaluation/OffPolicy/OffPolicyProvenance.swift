/// Where the numbers of an off-policy evaluation come from.
package struct OffPolicyProvenance: Sendable, Equatable {
    /// Heads the report; nil names the policy.
    package var title: String?
    package var columns = DecisionColumns()
    package var dataSHA256: String?
    /// Of the log whose policy is valued, when it is another one.
    package var policySHA256: String?
    /// Of cross-fitting.
    package var seed: UInt64 = 1
    /// The command that made the report, and when; the library asks no clock.
    package var command: String?
    package var time: String?

    package init() {}
}
