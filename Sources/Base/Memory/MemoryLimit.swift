import Foundation

/// How much memory this process may take.
public enum MemoryLimit {
    /// The machine's memory, or less where a control group (a container, a systemd unit) bounds it.
    public static func bytes() -> Int {
        let physical = Int(clamping: ProcessInfo.processInfo.physicalMemory)
        return ([physical] + groupFiles().compactMap(read)).min() ?? physical
    }

    /// The bounds of the process's group and of those around it, in both versions of the interface.
    private static func groupFiles() -> [String] {
        let root = "/sys/fs/cgroup"
        var files = ["\(root)/memory.max", "\(root)/memory/memory.limit_in_bytes"]
        let groups = (try? String(contentsOfFile: "/proc/self/cgroup", encoding: .utf8)) ?? ""
        for line in groups.split(separator: "\n") where line.hasPrefix("0::/") {
            var path = ""
            for part in line.dropFirst(4).split(separator: "/") where part != ".." {
                path += "/\(part)"
                files.append("\(root)\(path)/memory.max")
            }
        }
        return files
    }

    /// Nil for `max`, for a file that is not there, and for 0.
    private static func read(_ path: String) -> Int? {
        guard let text = try? String(contentsOfFile: path, encoding: .utf8) else { return nil }
        return Int(text.trimmingCharacters(in: .whitespacesAndNewlines)).flatMap { $0 > 0 ? $0 : nil }
    }
}
