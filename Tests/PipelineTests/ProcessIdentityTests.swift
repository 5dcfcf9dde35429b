import Foundation
import Pipeline
import TestSupport
import Testing

@Suite("Process identity")
struct ProcessIdentityTests {
    @Test("Two live processes have two names; a restart finds its own again")
    func stableAndUnique() throws {
        let scratch = try TemporaryFolder("identity")
        let folder = scratch.path
        var first: ProcessIdentity? = try ProcessIdentity(stateDirectory: folder)
        let second = try ProcessIdentity(stateDirectory: folder)
        let name = try #require(first?.name)
        #expect(name != second.name)
        first = nil
        let restarted = try ProcessIdentity(stateDirectory: folder)
        #expect(restarted.name == name)
        #expect(second.name.count == 12)
    }
}
