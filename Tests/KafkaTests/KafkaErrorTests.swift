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

    @Test("A text says once what was being done, and bears one code")
    func once() throws {
        let work = "asking for the offsets of events [3]"
        let thrown = #expect(throws: KafkaError.self) {
            try KafkaError.check(RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION, doing: work)
        }
        let error = try #require(thrown)
        #expect(error.impactError(doing: work).message == "\(work): Local: Unknown partition (_UNKNOWN_PARTITION)")
        #expect(
            error.impactError(doing: "reading").message
                == "reading: \(work): Local: Unknown partition (_UNKNOWN_PARTITION)")
        let said = KafkaError(
            RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION, "reading events [3]: it is gone (Local: Unknown partition)")
        #expect(said.description == "reading events [3]: it is gone (_UNKNOWN_PARTITION)")
    }

    @Test("Missing rights are told apart from what passes")
    func authorization() {
        #expect(KafkaError(RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED).isAuthorization)
        #expect(KafkaError(RD_KAFKA_RESP_ERR__AUTHENTICATION).isAuthorization)
        #expect(!KafkaError(RD_KAFKA_RESP_ERR__TRANSPORT).isAuthorization)
    }
}
