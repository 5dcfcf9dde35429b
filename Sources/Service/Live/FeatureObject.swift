import Base
import JSON

/// Features by name, as JSON.
enum FeatureObject {
    static func write(_ row: [Float], names: [String], to out: ByteBuffer) {
        out.append("{")
        for (index, value) in zip(names.indices, row) {
            if index > 0 { out.append(",") }
            out.appendJSONString(names[index])
            out.append(":")
            // The shortest text of the float32, which reads back as the same float32.
            if value.isFinite { out.append(Array("\(value)".utf8)) } else { out.append("null") }
        }
        out.append("}")
    }
}
