/// How large an imported file may say it is: what is beyond is refused before memory is asked for.
///
/// Real forests are far below: a tree grown on ten million rows with leaves of five has one million nodes.
package struct ImportLimits: Sendable {
    /// Nodes of one tree. A tree is the only part of a forest that is in memory as a whole.
    package var nodesOfATree = 1 << 22
    package var trees = 1_000_000
    /// Nodes of a forest.
    package var nodes = 1 << 36
    /// Parameters of a forest (p): a leaf holds p + p² numbers.
    package var parameters = 64
    package var features = 1 << 16
    package var outcomes = 64
    /// Bytes of the names and the provenance in a file.
    package var metadataBytes = 16 << 20
    /// Bytes of one line of a text file.
    package var lineBytes = 1 << 16

    package init() {}
}
