import Foundation

/// Files in `Tests/Golden`: what is stored or published, byte for byte. A test that fails here has found a change of a
/// format that users have on their disks or in their topics.
package enum Golden {
    /// Where the bytes differ from the file, in words; nil when they are equal.
    ///
    /// `IMPACTIQ_TEST_GOLDEN=write` writes the file anew, for a format that gets a new version.
    package static func difference(_ bytes: [UInt8], from name: String) throws -> String? {
        let file = SharedMaterial.repository.appending(path: "Tests/Golden/\(name)")
        if ProcessInfo.processInfo.environment["IMPACTIQ_TEST_GOLDEN"] == "write" {
            try Data(bytes).write(to: file)
            print("golden: wrote \(file.path)")
            return nil
        }
        let expected = try [UInt8](Data(contentsOf: file))
        if expected == bytes { return nil }
        let place = zip(expected, bytes).enumerated().first { $0.element.0 != $0.element.1 }?.offset
        return "\(name): \(bytes.count) bytes, \(expected.count) in the file; the first difference is at byte "
            + "\(place ?? min(bytes.count, expected.count))"
    }

    package static func difference(_ text: String, from name: String) throws -> String? {
        try difference(Array(text.utf8), from: name)
    }

    /// Bytes as lines of hexadecimal, for a file that a person reads.
    package static func hex(_ bytes: some Sequence<UInt8>) -> String {
        var text = ""
        for (i, byte) in bytes.enumerated() {
            text += String(byte >> 4, radix: 16) + String(byte & 15, radix: 16) + (i % 32 == 31 ? "\n" : "")
        }
        return text + (text.hasSuffix("\n") ? "" : "\n")
    }
}
