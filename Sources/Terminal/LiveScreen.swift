import Synchronization

/// A block of lines that is redrawn in place on a terminal, or one plain line now and then elsewhere.
///
/// Used by one thread. The cursor is hidden while the block is live and comes back with ``finish()``, with deinit,
/// and when a second Ctrl-C forces the process out.
package final class LiveScreen {
    private let stream: Terminal.Stream
    private let isLive: Bool
    private let size: () -> (columns: Int, rows: Int)
    private let write: (String) -> Void
    private let plainInterval: Duration
    private var lastPlain: ContinuousClock.Instant?
    private var drawnRows = 0

    /// A screen on standard output or standard error.
    ///
    /// - Parameter plainInterval: the least time between two plain lines when the stream is not a terminal.
    package convenience init(_ stream: Terminal.Stream = .output, plainInterval: Duration = .seconds(5)) {
        self.init(
            stream, isLive: stream.isTerminal, plainInterval: plainInterval, size: { stream.windowSize ?? (80, 24) },
            write: { stream.writeRaw($0) })
    }

    package init(
        _ stream: Terminal.Stream, isLive: Bool, plainInterval: Duration,
        size: @escaping () -> (columns: Int, rows: Int), write: @escaping (String) -> Void
    ) {
        self.stream = stream
        self.isLive = isLive
        self.plainInterval = plainInterval
        self.size = size
        self.write = write
    }

    deinit { restore() }

    /// The columns per line may take.
    package var width: Int { isLive ? size().columns : 100 }

    /// Shows a state of affairs.
    ///
    /// - Parameters:
    ///   - lines: the block; lines wider than the window are cut, lines below the window's end are left out.
    ///   - plain: the same in one line, asked for only when it will be shown.
    package func draw(
        _ lines: @autoclosure () -> [String], plain: @autoclosure () -> String, now: ContinuousClock.Instant = .now
    ) {
        guard isLive else {
            if let lastPlain, now - lastPlain < plainInterval { return }
            lastPlain = now
            write(plain() + "\n")
            return
        }
        let (columns, rows) = size()
        let block = lines().prefix(max(rows - 1, 1))
        var text = StopSignal.cursorHidden.exchange(true, ordering: .relaxed) ? "" : "\u{1B}[?25l"
        text += home
        for line in block { text += TextLayout.truncate(line, to: columns) + "\u{1B}[K\n" }
        text += "\u{1B}[J"
        drawnRows = block.count
        write(text)
    }

    /// Prints a line that stays, above the block.
    package func print(_ line: String) {
        write(isLive ? "\(home)\u{1B}[J\(line)\n" : "\(line)\n")
        drawnRows = 0
    }

    /// Leaves the last state standing and gives the cursor back.
    package func finish() {
        restore()
        drawnRows = 0
        lastPlain = nil
    }

    /// Moves to the first line of the block drawn last.
    private var home: String { drawnRows > 0 ? "\u{1B}[\(drawnRows)F" : "" }

    private func restore() {
        if isLive, StopSignal.cursorHidden.exchange(false, ordering: .relaxed) { write("\u{1B}[?25h") }
    }
}
