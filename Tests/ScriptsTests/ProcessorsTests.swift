import Glibc
import Testing

@testable import Scripts

/// In a process of its own, as nothing may have started a script before. In the suite, as other tests look for children.
extension ScriptRunnerTests {
  @Suite struct ProcessorsTests {
    @Test(.enabled(if: sysconf(Int32(_SC_NPROCESSORS_ONLN)) > 1, "needs two processors"))
    func scriptsOfPinnedThreadsRunEverywhere() async {
      await #expect(processExitsWith: .success) {
        let all = try #require(Processors.mask())
        let first = try #require(all.indices.first { all[$0] != 0 })
        var one = [UInt8](repeating: 0, count: all.count)
        one[first] = 1 << UInt8(all[first].trailingZeroBitCount)
        // Whatever thread this is, those that come into being from here on have one processor.
        Processors.set(one)
        let workshop = try Workshop()
        let runner = ScriptRunner()
        #expect(Processors.mask() == one, "the caller stays where it is")
        let script = try workshop.script("nproc >$W/out")
        #expect(await runner.run(script, timeLimit: .seconds(60)).isSuccess)
        let count = all.reduce(0) { $0 + $1.nonzeroBitCount }
        #expect(workshop.text("out") == "\(count)\n")
      }
    }
  }
}
