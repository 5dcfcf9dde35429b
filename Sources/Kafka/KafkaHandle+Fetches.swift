import CRdkafka

/// librdkafka's interceptor of responses: how a consumer gets to run something on the threads that make its messages.
///
/// The header forbids calls that concern the client there, since it may be in the middle of something, and work that takes
/// long. Giving back messages is neither: each is a few counts and a free. A fetch that succeeded is reported by the broker's
/// thread itself, with no lock held, which is not so of every failure.
extension KafkaHandle.Context {
    private static let fetch: Int16 = 1

    /// Before the client is made, which then asks for what follows.
    func reportFetches(_ configuration: OpaquePointer) {
        rd_kafka_conf_interceptor_add_on_new(
            configuration, "impactiq",
            { client, _, opaque, _, _ in
                rd_kafka_interceptor_add_on_response_received(
                    client, "impactiq",
                    { _, _, _, _, request, _, _, _, _, error, opaque in
                        if request == KafkaHandle.Context.fetch, error == RD_KAFKA_RESP_ERR_NO_ERROR {
                            KafkaHandle.Context.of(opaque)?.onFetch?()
                        }
                        return RD_KAFKA_RESP_ERR_NO_ERROR
                    }, opaque)
            }, Unmanaged.passUnretained(self).toOpaque())
    }
}
