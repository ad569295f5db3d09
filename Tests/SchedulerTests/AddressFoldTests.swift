import Scheduler
import Testing

struct AddressFoldTests {
  @Test func folds() {
    #expect(AddressFold.v4(0x0a00_0001) == 0x0a00_0001)
    #expect(AddressFold.v6(high: 0x2001_0db8_0000_0000, low: 1) == 0x2001_0db9)
    #expect(AddressFold.v6(high: 0x1111_1111_2222_2222, low: 0x4444_4444_8888_8888) == 0xffff_ffff)
  }

  @Test func hashTakesTheUpperBits() {
    #expect(hash32(1, bits: 32) == 0x61c8_8647)
    #expect(hash32(1, bits: 8) == 0x61)
    #expect(hash32(0xffff_ffff, bits: 8) == 0x9e)
    #expect(hash32(0xc633_6401, bits: 8) == 96)
  }
}
