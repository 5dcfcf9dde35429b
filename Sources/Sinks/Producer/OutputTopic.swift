/// A topic of an ``OutputProducer``; the same number also after the producer was initialised anew.
package struct OutputTopic: Sendable, Hashable {
    let index: Int
}
