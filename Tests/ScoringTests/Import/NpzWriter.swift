import CZip
import Foundation

/// Writes .npz archives for the importer's tests, right ones and wrong ones.
struct NpzWriter {
    struct Array {
        var type: String
        var shape: [Int]
        var bytes: [UInt8]
        var fortran = false
        /// Bytes in the place of the whole .npy file.
        var raw: [UInt8]?
    }

    var arrays: [(name: String, array: Array)] = []

    subscript(name: String) -> Array? {
        get { arrays.first { $0.name == name }?.array }
        set {
            arrays.removeAll { $0.name == name }
            if let newValue { arrays.append((name, newValue)) }
        }
    }

    mutating func set(_ name: String, int64 values: [Int], shape: [Int]? = nil) {
        self[name] = Array(type: "<i8", shape: shape ?? [values.count], bytes: Self.bytes(values.map(Int64.init)))
    }

    mutating func set(_ name: String, int32 values: [Int32], shape: [Int]? = nil) {
        self[name] = Array(type: "<i4", shape: shape ?? [values.count], bytes: Self.bytes(values))
    }

    mutating func set(_ name: String, double values: [Double], shape: [Int]? = nil) {
        self[name] = Array(type: "<f8", shape: shape ?? [values.count], bytes: Self.bytes(values))
    }

    mutating func set(_ name: String, text: String) {
        self[name] = Array(type: "|u1", shape: [text.utf8.count], bytes: Swift.Array(text.utf8))
    }

    static func bytes<Element>(_ values: [Element]) -> [UInt8] { values.withUnsafeBytes { Swift.Array($0) } }

    private static func npy(_ array: Array) -> [UInt8] {
        if let raw = array.raw { return raw }
        let extents = array.shape.map { "\($0)," }.joined(separator: " ")
        let order = array.fortran ? "True" : "False"
        var text = "{'descr': '\(array.type)', 'fortran_order': \(order), 'shape': (\(extents)), }"
        text += String(repeating: " ", count: 63 - (10 + text.utf8.count) % 64) + "\n"
        let length = text.utf8.count
        return [0x93] + Swift.Array("NUMPY".utf8) + [1, 0, UInt8(length & 255), UInt8(length >> 8)]
            + Swift.Array(text.utf8) + array.bytes
    }

    /// Writes the archive to `path`, in the place of what is there.
    func write(_ path: String, stored: Bool = false) throws {
        try? FileManager.default.removeItem(atPath: path)
        var code: Int32 = 0
        guard let archive = zip_open(path, ZIP_CREATE, &code) else { throw CocoaError(.fileWriteUnknown) }
        // libzip reads the buffers when it closes the archive.
        var buffers: [UnsafeMutableRawBufferPointer] = []
        defer { for buffer in buffers { buffer.deallocate() } }
        for (name, array) in arrays {
            let npy = Self.npy(array)
            let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: max(1, npy.count), alignment: 1)
            buffer.copyBytes(from: npy)
            buffers.append(buffer)
            let source = zip_source_buffer(archive, buffer.baseAddress, UInt64(npy.count), 0)
            let index = zip_file_add(archive, "\(name).npy", source, 0)
            guard index >= 0 else { throw CocoaError(.fileWriteUnknown) }
            zip_set_file_compression(archive, UInt64(index), stored ? ZIP_CM_STORE : ZIP_CM_DEFLATE, 0)
        }
        guard zip_close(archive) == 0 else { throw CocoaError(.fileWriteUnknown) }
    }

    /// A right one: two trees (a split and its two leaves; a single leaf), one treatment and the intercept.
    static func small() -> NpzWriter {
        var writer = NpzWriter()
        writer.set("offsets", int64: [0, 3, 4])
        writer.set("left", int64: [1, -1, -1, -1])
        writer.set("right", int64: [2, -1, -1, -1])
        writer.set("feature", int64: [1, -2, -2, -2])
        writer.set("threshold", double: [0.5, -2, -2, -2])
        writer.set("jac", double: [9, 9, 9, 9, 2, 1, 1, 1, 3, 1, 1, 1, 4, 1, 1, 1], shape: [4, 4])
        writer.set("precond", double: [9, 9, 1, 0, 2, 0, 3, 0], shape: [4, 2])
        writer.set("p", int64: [2], shape: [])
        writer.set("q", int64: [1], shape: [])
        writer.set("subforest_size", int64: [1], shape: [])
        return writer
    }

    static let metadata = """
        {"format":"impactiq-econml","format_version":1,"feature_names":["age","spend"],"outcome_names":["visit"],
         "treatment":{"kind":"discrete","control":"none","names":["mail"]},"provenance":{"library":"econml"}}
        """
}
