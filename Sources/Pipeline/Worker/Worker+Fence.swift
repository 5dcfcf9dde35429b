import Base
import Consumer
import Kafka
import Sinks

extension Worker {
    /// Whether the group refused an offset because its member's name is another's: the consumer hears of it later.
    func isOusted(by cause: KafkaError) -> Bool {
        consumer.isFenced || cause.isFencedMember
    }

    /// The group gave this member's name to another one, or has lost sight of it: what is open can no longer be committed.
    func leave(fencedBy error: any Error) {
        Log.warning(component, "\(error): leaving, to join anew")
        isFenced = true
        isNameTaken = true
        guard isOpen else { return }
        isOpen = false
        settle(producer.abort(), attempted: [:])
    }
}
