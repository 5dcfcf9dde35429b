import Base
import Terminal
import Testing

@Test func columnsAlign() {
    var table = Table(.text("segment"), .number("events"), .text("note"))
    table.add("sure thing", "12", "a")
    table.add("日本", "1,234")
    #expect(
        table.lines() == [
            "segment     events  note", "sure thing      12  a", "日本         1,234",
        ])
}

@Test(arguments: [20, 40, 60, 200])
func tablesFitTheirWidth(width: Int) {
    var table = Table(.text("a"), .number("n"), .text("b"))
    table.add(String(repeating: "x", count: 70), "1", String(repeating: "日", count: 30))
    for line in table.lines(width: width) { #expect(TextLayout.width(line) <= max(width, 8 + 1 + 8 + 4)) }
}

@Test func widthsCountColumnsNotBytes() {
    let style = Style(isOn: true)
    #expect(TextLayout.width("abc") == 3)
    #expect(TextLayout.width("naïve") == 5)
    #expect(TextLayout.width("日本") == 4)
    #expect(TextLayout.width("e\u{301}") == 1)
    #expect(TextLayout.width(style.bold("abc")) == 3)
    #expect(TextLayout.truncate(style.red("abcdef"), to: 4) == style.red("abc…"))
    #expect(Style(isOn: false).red("a") == "a")
}

@Test func wrappingKeepsEveryWord() {
    let text = "one two three four five six seven"
    for width in 1...40 {
        let lines = TextLayout.wrap(text, width: width)
        #expect(lines.joined(separator: " ") == text)
        for line in lines { #expect(TextLayout.width(line) <= width || !line.contains(" ")) }
    }
}

@Test(arguments: [
    (0, "0"), (950, "950"), (12_345, "12.3 k"), (999_600, "1.00 M"), (1_250_000, "1.25 M"), (0.5, "0.50"),
    (-2_000, "-2.00 k"),
])
func shortNumbers(value: Double, text: String) { #expect(HumanNumber.short(value) == text) }

@Test func unitsOfTimeAndSize() {
    #expect(HumanNumber.latency(milliseconds: 4.5) == "4.50 ms")
    #expect(HumanNumber.latency(milliseconds: 0.0123) == "12.3 µs")
    #expect(HumanNumber.latency(milliseconds: 12_300) == "12.3 s")
    #expect(HumanNumber.span(seconds: 72) == "1 m 12 s")
    #expect(HumanNumber.span(seconds: .infinity) == "–")
    #expect(HumanNumber.bytes(65_536) == "64.0 KiB")
    #expect(HumanNumber.grouped(-1_234_567) == "-1,234,567")
    #expect(HumanNumber.rate(12_345) == "12.3 k/s")
}

@Test func progressTellsShareRateAndTimeLeft() {
    var written: [String] = []
    let start = ContinuousClock.now
    let progress = ProgressLine(
        "generate", total: 1000, unit: "events", isLive: false, plainInterval: .seconds(10), start: start
    ) { written.append($0) }
    progress.update(100, now: start + .seconds(9))
    #expect(written.isEmpty)
    progress.update(250, now: start + .seconds(10))
    progress.update(260, now: start + .seconds(11))
    #expect(written == ["generate: 250 of 1,000 events (25 %), 25 /s, 30 s left\n"])
    progress.finish(1000, now: start + .seconds(20))
    #expect(written.last == "generate: 1,000 events in 20.0 s, 50 /s\n")
}

@Test func progressByShareTellsTheTimeLeft() {
    var written: [String] = []
    let start = ContinuousClock.now
    let progress = ProgressLine(
        "score", total: nil, unit: "rows", isLive: false, plainInterval: .seconds(10), start: start
    ) { written.append($0) }
    progress.update(500, share: 0.2, now: start + .seconds(10))
    progress.update(1000, now: start + .seconds(20))
    progress.update(2500, share: 1, now: start + .seconds(50))
    #expect(
        written == [
            "score: 500 rows (20 %), 50 /s, 40 s left\n", "score: 1,000 rows, 50 /s\n",
            "score: 2,500 rows (100 %), 50 /s, 0 s left\n",
        ])
}

@Test func aLiveScreenRedrawsInPlaceAndReturnsTheCursor() {
    var written = ""
    let screen = LiveScreen(.output, isLive: true, plainInterval: .zero, size: { (10, 4) }) { written += $0 }
    screen.draw(["one", "two"], plain: "plain")
    #expect(written == "\u{1B}[?25lone\u{1B}[K\ntwo\u{1B}[K\n\u{1B}[J")
    written = ""
    screen.draw(["much too wide a line", "2", "3", "below the window"], plain: "plain")
    #expect(written == "\u{1B}[2Fmuch too …\u{1B}[K\n2\u{1B}[K\n3\u{1B}[K\n\u{1B}[J")
    written = ""
    screen.finish()
    #expect(written == "\u{1B}[?25h")
}

@Test func elsewhereAScreenIsPlainLinesWithoutEscapes() {
    var written = ""
    let start = ContinuousClock.now
    let screen = LiveScreen(.output, isLive: false, plainInterval: .seconds(5), size: { (10, 4) }) { written += $0 }
    for second in 0..<11 { screen.draw(["block"], plain: "at \(second)", now: start + .seconds(second)) }
    screen.finish()
    #expect(written == "at 0\nat 5\nat 10\n")
}

@Test func jsonKeepsOrderAndEscapes() {
    let value: JSONOutput = [
        "b": 1, "a": [true, nil, 0.1], "text": "quote \" slash \\ line\n\u{01} é", "nan": .number(.nan), "whole": 3.0,
    ]
    #expect(
        value.line
            == #"{"b":1,"a":[true,null,0.1],"text":"quote \" slash \\ line\n\u0001 é","nan":null,"whole":3}"#)
}

/// The output of commands holds names that others chose; what a program reads of it stays JSON.
@Test func controlCharactersInJSONAreEscaped() {
    let hostile = "a\u{1B}]0;x\u{7}\u{9B}31m\u{202E}\u{2028}\u{7F}b"
    let line = JSONOutput.object([(name: "name", value: .text(hostile))]).line
    #expect(line == #"{"name":"a\u001b]0;x\u0007\u009b31m\u202e\u2028\u007fb"}"#)
    #expect(line.printable() == line)
}
