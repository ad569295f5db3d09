import Testing

@testable import Notify

@Suite struct LossesTests {
  @Test func theFirstIsSaidAndTheEndHasTheirNumber() {
    var losses = Losses()
    let ends = (losses.end(), [losses.add(), losses.add(), losses.add()], losses.end(), losses.end(), losses.add())
    #expect(ends.0 == nil)
    #expect(ends.1 == [true, false, false])
    #expect(ends.2 == 3)
    #expect(ends.3 == nil)
    #expect(ends.4)
  }
}
