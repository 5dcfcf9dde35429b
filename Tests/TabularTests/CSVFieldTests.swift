import Tabular
import Testing

@Test(
    "Fields of a CSV: quoted where they must be, and marked for spreadsheets when asked",
    arguments: [
        ("plain", "plain", "plain"), ("a,b", "\"a,b\"", "\"a,b\""),
        ("say \"x\"", "\"say \"\"x\"\"\"", "\"say \"\"x\"\"\""),
        ("=1+1", "=1+1", "\"'=1+1\""), ("@SUM(A1)", "@SUM(A1)", "\"'@SUM(A1)\""),
        ("+cmd|' /C", "+cmd|' /C", "\"'+cmd|' /C\""),
        ("-2+3", "-2+3", "\"'-2+3\""), ("\tx", "\tx", "\"'\tx\""), ("\rx", "\"\rx\"", "\"'\rx\""),
        ("-2.5e3", "-2.5e3", "-2.5e3"), ("+7", "+7", "+7"), ("-", "-", "\"'-\""), ("", "", ""), ("a=b", "a=b", "a=b"),
        ("-inf", "-inf", "\"'-inf\""), ("=\"x\"", "\"=\"\"x\"\"\"", "\"'=\"\"x\"\"\""),
    ])
func fields(text: String, plain: String, spreadsheet: String) {
    #expect(CSVField.plain.text(text) == plain)
    #expect(CSVField.spreadsheet.text(text) == spreadsheet)
}
