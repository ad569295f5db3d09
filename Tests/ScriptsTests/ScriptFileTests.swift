import Glibc
import Testing

@testable import Scripts

struct ScriptFileTests {
  private let workshop: Workshop
  private let searchPath: String

  init() throws {
    workshop = try Workshop()
    for folder in ["one", "two", "three"] { mkdir(workshop.path(folder), 0o755) }
    try workshop.file("one/plain", "", mode: 0o644)
    mkdir(workshop.path("one/tool"), 0o755)
    try workshop.file("two/tool", "")
    try workshop.file("three/tool", "")
    try workshop.file("three/plain", "")
    searchPath = "relative::\(workshop.path("one")):\(workshop.path("two")):\(workshop.path("three"))"
  }

  @Test func theFirstThatCanBeExecutedIsTaken() throws {
    #expect(try ScriptFile.locate(Script(words: ["tool"]), searchPath: searchPath) == workshop.path("two/tool"))
    #expect(try ScriptFile.locate(Script(words: ["plain"]), searchPath: searchPath) == workshop.path("three/plain"))
  }

  @Test func withoutOneTheUnusableOneIsNamed() {
    let script = Script(words: ["plain", "-x"])
    let error = #expect(throws: ScriptFailure.self) {
      try ScriptFile.locate(script, searchPath: workshop.path("one"))
    }
    #expect(error?.number == EACCES && error?.remedy == "make it executable: chmod +x \(workshop.path("one/plain"))")
    #expect(error?.step == "run plain -x")
  }

  @Test func aPathIsTakenAsItIs() throws {
    let path = workshop.path("two/tool")
    #expect(try ScriptFile.locate(Script(words: [path]), searchPath: "") == path)
    // Scripts run in /, so that is where relative paths begin.
    #expect(try ScriptFile.locate(Script(words: [String(path.dropFirst())]), searchPath: "") == path)
    #expect(throws: ScriptFailure.self) { try ScriptFile.locate(Script(words: ["./tool"]), searchPath: searchPath) }
  }
}
