import Base
import CZlib
import Foundation
import Rows
import Testing

@Suite struct RowTableTests {
    private static func file(_ text: String, _ name: String = "rows.csv") throws -> String {
        let folder = FileManager.default.temporaryDirectory.appending(path: "impactiq-rows-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let path = folder.appending(path: name).path
        try text.write(toFile: path, atomically: true, encoding: .utf8)
        return path
    }

    private static let fields = [
        RowField("age"), RowField("arm", .level(only: nil), missing: .dropRow),
        RowField("web", column: "channel", .equals("Web")), RowField("y", missing: .dropRow, role: "outcome"),
    ]

    @Test("columns come in any order, quoted or not, and missing outcomes leave their rows out")
    func anyOrder() throws {
        let first = try Self.file("age,channel,arm,y\n31,Web,a,1\n,Phone,b,0\n40,Web,a,\n50,\"We\"\"b\",b,0.5\n")
        let second = try Self.file(
            "y,arm,other,channel,age\n1,a,x,\"Web\", 31 \n0,b,,Phone,NA\n,a,z,Web,40\n0.5,b,,\"We\"\"b\",50\n")
        for path in [first, second] {
            let table = try RowTable.read(path: path, fields: Self.fields)
            #expect(table.count == 3 && table.rowsRead == 4 && table.dropped == ["y": 1])
            let age = try #require(table["age"]), web = try #require(table["web"]), y = try #require(table["y"])
            #expect(age[0] == 31 && age[1].isNaN && age[2] == 50)
            #expect([web[0], web[1], web[2]] == [1, 0, 0] && [y[0], y[1], y[2]] == [1, 0, 0.5])
            #expect(table.levels(of: "arm") == ["a", "b"])
        }
    }

    @Test("compressed rows are the same rows")
    func compressed() throws {
        var text = "age,channel,arm,y\n"
        for row in 0..<30_000 {
            text += "\(row % 97),\(row % 3 == 0 ? "Web" : "Phone"),\(row % 2),\(Double(row) / 8)\n"
        }
        let plain = try Self.file(text)
        let gzipped = plain + ".gz"
        let handle = try #require(gzopen(gzipped, "wb"))
        _ = text.withUTF8 { gzwrite(handle, $0.baseAddress, UInt32($0.count)) }
        gzclose(handle)
        let (a, b) = (
            try RowTable.read(path: plain, fields: Self.fields), try RowTable.read(path: gzipped, fields: Self.fields)
        )
        #expect(a.count == 30_000 && b.count == 30_000)
        for (x, y) in zip(a.columns, b.columns) { #expect(x.buffer.elementsEqual(y.buffer)) }
    }

    @Test("what cannot be read is named by line and column")
    func faults() throws {
        let path = try Self.file("age,channel,arm,y\n31,Web,a,1\nx7,Web,a,1\n")
        let error = #expect(throws: ImpactError.self) { try RowTable.read(path: path, fields: Self.fields) }
        #expect(error?.message.contains("line 3, column 'age'") == true && error?.message.contains("x7") == true)
        let absent = #expect(throws: ImpactError.self) {
            try RowTable.read(path: path, fields: [RowField("aeg", role: "feature")])
        }
        #expect(absent?.code == "csv_column" && absent?.message.contains("did you mean 'age'") == true)
        let refused = #expect(throws: ImpactError.self) {
            try RowTable.read(
                path: try Self.file("a,b\n1,2\n1,\n"), fields: [RowField("b", missing: .refuse, role: "weight")])
        }
        #expect(refused?.message.contains("line 3, column 'b'") == true)
    }

    @Test("only the arms asked for are kept, in the order asked")
    func closedLevels() throws {
        let path = try Self.file("arm,y\nc,1\na,2\nb,3\na,4\n")
        let table = try RowTable.read(path: path, fields: [RowField("arm", .level(only: ["b", "a"])), RowField("y")])
        #expect(table.count == 3 && table.dropped == ["arm": 1])
        #expect(table.columns[0].buffer.elementsEqual([1, 0, 1]))
    }

    @Test("a profile tells numbers, categories and missing values")
    func profile() throws {
        let path = try Self.file("a,b,c\n1,x,0.5\n2,y,\n")
        let profiles = try ColumnProfile.read(path: path)
        #expect(profiles.map(\.isNumeric) == [true, false, true])
        #expect(profiles[1].levels == ["x", "y"] && profiles[2].missing == 1 && !profiles[2].isWhole)
    }

    @Test("a column of numbers with a text in it is no category: the error names line and column")
    func oneKind() throws {
        func profiles(_ cells: [String]) throws -> ColumnProfile {
            let path = try Self.file("a,b\n" + cells.map { "1,\($0)\n" }.joined())
            return try ColumnProfile.read(path: path)[1]
        }
        for (cells, words) in [
            (["1", "2", "n/a!", "4"], "line 4, column 'b': \"n/a!\""),
            (["inf", "2", "3"], "line 2, column 'b': \"inf\""),
            (["\"1,5\"", "\"2,25\"", "\"-3,5\""], "decimal point"), (["7.0", "", "lots", "8", "9"], "--category b"),
        ] {
            let error = #expect(throws: ImpactError.self) { try profiles(cells).checkIsOneKind(path: "rows.csv") }
            #expect(error?.message.contains(words) == true, "\(error?.message ?? "")")
        }
        for cells in [["a", "b", "1"], ["1", "2", ""], ["NA", "3"], ["\"a, b\"", "c"], ["", ""]] {
            try profiles(cells).checkIsOneKind(path: "rows.csv")
        }
        #expect(throws: ImpactError.self) { try ColumnProfile.read(path: FileManager.default.temporaryDirectory.path) }
    }
}
