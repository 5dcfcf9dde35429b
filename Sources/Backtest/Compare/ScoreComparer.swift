import Base
import Engine
import Events
import Foundation
import JSON
import Scoring
import Sinks

/// Compares the scores of one partition with the published ones, event by event, as they are made.
///
/// Both sides are ordered by source offset, so this is a merge. Equal bytes need no reading.
package final class ScoreComparer {
    package private(set) var result: ScoreComparison
    private let published: any PublishedScores
    private let span: PartitionSpan
    private let ours = ScoreReader()
    private let theirs = ScoreReader()
    /// Takes the pairs whose decisions differ, one JSON object a line.
    private let changes: PartFile?
    /// The source offset of the last published score that was read.
    private var lastOffset: Int64 = -1
    /// The last score that was equal: in the buffer at hand, and kept from the one before. Not read until needed.
    private var equal: UnsafeRawBufferPointer?
    private let kept = ByteBuffer()
    private let keptReader = ScoreReader()
    private static let decisions = Decision.allCases.map { "\($0)" }

    /// - Parameter resumed: what was compared before a checkpoint; the published scores of that part are passed over.
    package init(
        _ published: any PublishedScores, span: PartitionSpan, changes: PartFile?, resumed: ScoreComparison?,
        at position: Int64
    ) throws {
        self.published = published
        self.span = span
        self.changes = changes
        result = resumed ?? ScoreComparison()
        try published.begin(partition: span.partition)
        let start = max(span.from, position)
        while let bytes = try published.peek(), try read(bytes).sourceOffset < start { published.advance() }
    }

    /// Takes scores of the replay, in order.
    package func compare(_ records: UnsafeBufferPointer<OutputRecord>, _ bytes: UnsafeRawBufferPointer) throws {
        for record in records { try compare(record.value(in: bytes)) }
        // The last equal score outlives the buffer: a second publication of it may come next.
        if let equal { kept.removeAll(); kept.append(equal); self.equal = nil }
    }

    private func compare(_ value: UnsafeRawBufferPointer) throws {
        while let other = try published.peek() {
            if isEqual(value, other) {
                result.identical += 1
                published.advance()
                equal = value
                return
            }
            let mine = try ours.read(value)
            let score = try read(other)
            if score.sourceOffset < mine.sourceOffset {
                try extra(score, other)
                published.advance()
            } else if score.sourceOffset > mine.sourceOffset {
                return missing(mine.sourceOffset, value)
            } else {
                try pair(mine, value, score, other)
                lastOffset = score.sourceOffset
                published.advance()
                return
            }
        }
        missing(try ours.read(value).sourceOffset, value)
    }

    /// The replay has no more scores: what is published of the span beyond them is extra.
    package func finish() throws {
        while let other = try published.peek() {
            let score = try read(other)
            guard score.sourceOffset < span.end else { break }
            try extra(score, other)
            published.advance()
        }
        result.tombstones = published.tombstones
        try changes?.sync()
    }

    func settle() throws -> Int {
        try changes?.sync()
        return changes?.length ?? 0
    }

    private func isEqual(_ a: UnsafeRawBufferPointer, _ b: UnsafeRawBufferPointer) -> Bool {
        guard a.count == b.count, let x = a.baseAddress, let y = b.baseAddress else { return a.count == b.count }
        return memcmp(x, y, a.count) == 0
    }

    private func read(_ bytes: UnsafeRawBufferPointer) throws -> Score {
        let score: Score
        do throws(InputError) { score = try theirs.read(bytes) } catch {
            let text = String(decoding: bytes.prefix(200), as: UTF8.self)
            throw ImpactError(
                .badInput, code: "not_comparable",
                "partition \(span.partition) of the published scores holds a message that is not a score "
                    + "(\(error.code.name)): \(text)")
        }
        guard score.sourcePartition == span.partition else {
            throw ImpactError(
                .badInput, code: "not_comparable",
                "partition \(span.partition) of the published scores holds one of partition \(score.sourcePartition): "
                    + "a comparison needs scores in the partition of their events (as many partitions as the input)")
        }
        return score
    }

    private func note(
        _ kind: ScoreComparison.Difference.Kind, _ offset: Int64, _ mine: UnsafeRawBufferPointer?,
        _ other: UnsafeRawBufferPointer?
    ) {
        guard result.first == nil else { return }
        result.first = .init(
            kind: kind, partition: span.partition, offset: offset,
            replayed: mine.map { String(decoding: $0, as: UTF8.self) },
            published: other.map { String(decoding: $0, as: UTF8.self) })
    }

    private func missing(_ offset: Int64, _ value: UnsafeRawBufferPointer) {
        result.replayOnly += 1
        note(.replayOnly, offset, value, nil)
    }

    private func extra(_ score: Score, _ bytes: UnsafeRawBufferPointer) throws {
        if score.sourceOffset == max(lastOffset, lastEqualOffset) {
            result.publishedTwice += 1
            note(.publishedTwice, score.sourceOffset, nil, bytes)
        } else {
            result.publishedOnly += 1
            note(.publishedOnly, score.sourceOffset, nil, bytes)
        }
        lastOffset = score.sourceOffset
    }

    private var lastEqualOffset: Int64 {
        let bytes = equal ?? kept.bytes
        guard !bytes.isEmpty, let score = try? keptReader.read(bytes) else { return -1 }
        return score.sourceOffset
    }

    private func pair(
        _ mine: Score, _ value: UnsafeRawBufferPointer, _ score: Score, _ other: UnsafeRawBufferPointer
    ) throws {
        let isSameModel = ours.bytes(mine.modelSHA256).elementsEqual(theirs.bytes(score.modelSHA256))
        if isSameModel {
            result.different += 1
            note(.content, mine.sourceOffset, value, other)
        } else {
            result.otherModel += 1
            let sha = theirs.string(score.modelSHA256)
            if result.models[sha] == nil {
                result.models[sha] = "\(theirs.string(score.model)) \(theirs.string(score.modelVersion))"
            }
        }
        if mine.uplift.isFinite, score.uplift.isFinite { result.shifts.add(mine.uplift - score.uplift) }
        guard let before = decision(theirs.bytes(score.decision)), let after = decision(ours.bytes(mine.decision))
        else { return }
        result.decisions[before * 3 + after] += 1
        if before != after { try list(mine, score, before, after) }
    }

    private func decision(_ bytes: UnsafeRawBufferPointer) -> Int? {
        Self.decisions.firstIndex { $0.utf8.elementsEqual(bytes) }
    }

    private func list(_ mine: Score, _ score: Score, _ before: Int, _ after: Int) throws {
        try changes?.append { out in
            out.append(#"{"user_id":"#)
            out.appendJSONString(ours.string(mine.user))
            out.append(#","time":"#)
            out.append(mine.time)
            out.append(#","partition":"#)
            out.append(Int64(mine.sourcePartition))
            out.append(#","offset":"#)
            out.append(mine.sourceOffset)
            out.append(#","from":""#)
            out.append(Array(Self.decisions[before].utf8))
            out.append(#"","to":""#)
            out.append(Array(Self.decisions[after].utf8))
            out.append(#"","uplift_from":"#)
            out.append(score.uplift)
            out.append(#","uplift_to":"#)
            out.append(mine.uplift)
            out.append("}\n")
        }
    }
}
