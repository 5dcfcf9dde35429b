import Foundation
import Testing

/// Real data sets as messages of the product: what an ad platform would have sent.
enum RealEvents {
    /// A message to produce, and where its row stood in the data.
    struct Message {
        var key: String
        var value: String
        var row: Int
    }

    /// Kevin Hillstrom's 64,000 customers as `ad_view` events, one a customer, in the order of the file.
    static func hillstrom(_ path: String) throws -> [Message] {
        let lines = try String(contentsOfFile: path, encoding: .utf8).split(whereSeparator: \.isNewline)
        // recency,history_segment,history,mens,womens,zip_code,newbie,channel,segment,visit,conversion,spend
        return lines.dropFirst().enumerated().map { row, line in
            // history_segment is quoted where it holds a comma: "6) $750 - $1,000". No feature reads it.
            let cells = line.replacing(/"[^"]*"/, with: "").split(separator: ",", omittingEmptySubsequences: false)
            let arm = cells[8] == "Womens E-Mail" ? "womens" : cells[8] == "Mens E-Mail" ? "mens" : "control"
            let properties =
                #""recency":\#(cells[0]),"history":\#(cells[2]),"mens":\#(cells[3]),"womens":\#(cells[4]),"#
                + #""zip_code":"\#(cells[5])","newbie":\#(cells[6]),"channel":"\#(cells[7])""#
            let value =
                #"{"id":"h-\#(row)","user_id":"customer-\#(row)","type":"ad_view","#
                + #""time":\#(1_204_329_600_000 + row * 1_000),"channel":"email","#
                + #""treatment":{"experiment_id":"minethatdata","arm":"\#(arm)","propensity":0.3333333333333333},"#
                + #""properties":{\#(properties)}}"#
            return Message(key: "customer-\(row)", value: value, row: row)
        }
    }

    /// Open Bandit's impressions (ZOZO) as `ad_view` events, each click as a `click` event half a second later.
    static func openBandit(_ path: String, policy: String) throws -> [Message] {
        let lines = try gunzipped(path).split(whereSeparator: \.isNewline)
        let parser = ISO8601DateFormatter()
        parser.formatOptions = [.withInternetDateTime, .withFractionalSeconds]
        var messages: [Message] = []
        for (row, line) in lines.dropFirst().enumerated() {
            let cells = line.split(separator: ",", maxSplits: 10, omittingEmptySubsequences: false)
            let user = cells[6...9].map { String($0.prefix(8)) }.joined(separator: "-")
            let time = try milliseconds(cells[1], parser)
            let common = #""user_id":"\#(user)","campaign_id":"item-\#(cells[2])","channel":"fashion","#
            let properties = #""properties":{"position":\#(cells[3]),"item":\#(cells[2])}"#
            let treatment =
                #""treatment":{"experiment_id":"\#(policy)","arm":"\#(cells[2])","propensity":\#(cells[5])},"#
            messages.append(
                Message(
                    key: user,
                    value: #"{"id":"\#(policy)-\#(row)","type":"ad_view","time":\#(time),\#(common)\#(treatment)"#
                        + "\(properties)}", row: row))
            if cells[4] == "1" {
                messages.append(
                    Message(
                        key: user,
                        value:
                            #"{"id":"\#(policy)-\#(row)-c","type":"click","time":\#(time + 500),\#(common)\#(properties)}"#,
                        row: row))
            }
        }
        return messages
    }

    private static func milliseconds(_ text: Substring, _ parser: ISO8601DateFormatter) throws -> Int64 {
        // 2019-11-24 00:00:34.762830+00:00: the formatter takes three digits of a second.
        let parts = text.split(separator: "+")
        let cut = parts[0].replacing(" ", with: "T").split(separator: ".")
        let fraction = cut.count > 1 ? cut[1].prefix(3) : "000"
        let date = try #require(parser.date(from: "\(cut[0]).\(fraction)Z"))
        return Int64((date.timeIntervalSince1970 * 1_000).rounded())
    }

    private static func gunzipped(_ path: String) throws -> String {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/gzip")
        process.arguments = ["-dc", path]
        let pipe = Pipe()
        process.standardOutput = pipe
        try process.run()
        let data = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return String(decoding: data, as: UTF8.self)
    }
}
