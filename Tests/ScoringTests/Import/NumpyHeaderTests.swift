import ModelImport
import Scoring
import Testing

@Suite struct NumpyHeaderTests {
    private func header(_ text: String) throws -> NumpyHeader { try NumpyHeader(dictionary: Array(text.utf8)) }

    private func reason(_ text: String) -> String {
        do {
            return "read: \(try header(text))"
        } catch let refusal as NumpyHeader.Refusal {
            return refusal.reason
        } catch {
            return "\(error)"
        }
    }

    @Test func readsWhatNumpyWrites() throws {
        let matrix = try header("{'descr': '<f8', 'fortran_order': False, 'shape': (59762, 4), }      \n")
        #expect(matrix.element == .float64 && matrix.shape == [59762, 4] && matrix.count == 239_048)
        let scalar = try header("{'descr': '<i8', 'fortran_order': False, 'shape': (), }\n")
        #expect(scalar.shape == [] && scalar.count == 1)
        let vector = try header("{\"shape\":(3,),\"fortran_order\":True,\"descr\":\"|u1\"}")
        #expect(vector.element == .uint8 && vector.shape == [3])
    }

    @Test(arguments: [
        ("{'descr': '>f8', 'fortran_order': False, 'shape': (3,), }", "its type is >f8"),
        ("{'descr': '|O', 'fortran_order': False, 'shape': (3,), }", "its type is |O"),
        ("{'descr': [('a', '<f8')], 'fortran_order': False, 'shape': (3,), }", "structured arrays"),
        ("{'descr': '<f8', 'fortran_order': True, 'shape': (3, 4), }", "Fortran order"),
        ("{'descr': '<f8', 'fortran_order': False, 'shape': (-3,), }", "no number"),
        ("{'descr': '<f8', 'fortran_order': False, 'shape': (4294967296, 4294967296), }", "can be counted"),
        ("{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999999999999,), }", "too large"),
        ("{'descr': '<f8', 'fortran_order': False, 'shape': (1, 1, 1, 1, 1), }", "four dimensions"),
        ("{'descr': '<f8', 'fortran_order': Maybe, 'shape': (1,), }", "True nor False"),
        ("{'descr': '<f8', 'fortran_order': False, 'shape': (1,), 'more': 'x'}", "unknown key 'more'"),
        ("{'descr': '<f8', 'fortran_order': False}", "lacks"),
        ("{'descr': '<f8', 'fortran_order': False, 'shape': (1,), } x", "goes on"),
        ("{'descr': '<f8", "without an end"),
        ("", "no '{'"),
        ("{", "no quoted text"),
    ])
    func refusesWithTheReason(_ text: String, _ words: String) {
        #expect(reason(text).contains(words), "\(reason(text))")
    }
}
