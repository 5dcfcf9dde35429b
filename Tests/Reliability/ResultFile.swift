import Base
import Foundation
import Terminal

/// A JSON line a run, appended as runs end: a run that was interrupted goes on where it stopped.
struct ResultFile {
    struct Entry {
        var key: String
        var isGood: Bool
        var members: [String: Double]
    }

    private(set) var entries: [Entry] = []
    private let path: String?

    init(_ path: String?) throws {
        self.path = path
        guard let path, let text = try? String(contentsOfFile: path, encoding: .utf8) else { return }
        for line in text.split(separator: "\n") {
            guard let object = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any],
                let key = object["run"] as? String, let isGood = object["good"] as? Bool
            else { continue }
            entries.append(
                Entry(key: key, isGood: isGood, members: object.compactMapValues { ($0 as? NSNumber)?.doubleValue }))
        }
    }

    func holds(_ key: String) -> Bool { entries.contains { $0.key == key && $0.isGood } }

    mutating func append(
        _ key: String, problems: [String], _ members: [(name: String, value: JSONOutput)]
    ) throws {
        var numbers: [String: Double] = [:]
        for member in members {
            switch member.value {
            case .integer(let value): numbers[member.name] = Double(value)
            case .number(let value): numbers[member.name] = value
            default: break
            }
        }
        entries.append(Entry(key: key, isGood: problems.isEmpty, members: numbers))
        guard let path else { return }
        let line = JSONOutput.object(
            [(name: "run", value: .text(key)), (name: "good", value: .bool(problems.isEmpty))] + members + [
                (name: "problems", value: .array(problems.map { .text($0) }))
            ]
        ).line
        let descriptor = open(path, O_WRONLY | O_CREAT | O_APPEND, 0o644)
        guard descriptor >= 0 else {
            throw ImpactError(.failed, code: "results", "cannot write \(path): \(String(cString: strerror(errno)))")
        }
        defer { close(descriptor) }
        let bytes = Array((line + "\n").utf8)
        _ = write(descriptor, bytes, bytes.count)
    }
}
