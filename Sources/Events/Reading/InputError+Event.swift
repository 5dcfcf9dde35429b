import JSON

extension InputError {
    /// The text for a person: field, place, and what would be right.
    public func message(schema: EventSchema) -> String {
        let name = field.name(in: schema)
        let place = position >= 0 ? " at byte \(position)" : ""
        return (name.map { "\($0): " } ?? "") + code.explanation + place
    }
}

extension InputField {
    init(_ slot: EventSlot) { self.init(rawValue: Int16(slot.rawValue)) }

    /// The member of an event that the error concerns, as a path; nil when it concerns no one member.
    public func name(in schema: EventSchema) -> String? {
        if self == .key { return "message key" }
        if rawValue >= 1_000 {
            let index = Int(rawValue) - 1_000
            return index < schema.fields.count ? schema.fields[index].path : nil
        }
        return UInt8(exactly: rawValue).flatMap(EventSlot.init(rawValue:))?.name
    }
}
