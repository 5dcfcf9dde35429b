import Base
import CRdkafka
import Kafka
import Testing

@Suite("Kafka errors")
struct KafkaErrorTests {
    @Test("Code, name and message are the library's; the code of the error for people is stable")
    func names() {
        let own = KafkaError(RD_KAFKA_RESP_ERR__TIMED_OUT)
        #expect(own.name == "_TIMED_OUT")
        #expect(own.description == "Local: Timed out (_TIMED_OUT)")
        #expect(own.impactError(doing: "asking").code == "kafka_timed_out")
        let broker = KafkaError(RD_KAFKA_RESP_ERR_NOT_COORDINATOR, "no")
        let error = broker.impactError(doing: "asking b:9092", advice: "Try later")
        #expect(
            error
                == ImpactError(.failed, code: "kafka_not_coordinator", "asking b:9092: no (NOT_COORDINATOR). Try later")
        )
    }

    @Test("Missing rights are told apart from what passes")
    func authorization() {
        #expect(KafkaError(RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED).isAuthorization)
        #expect(KafkaError(RD_KAFKA_RESP_ERR__AUTHENTICATION).isAuthorization)
        #expect(!KafkaError(RD_KAFKA_RESP_ERR__TRANSPORT).isAuthorization)
    }
}
