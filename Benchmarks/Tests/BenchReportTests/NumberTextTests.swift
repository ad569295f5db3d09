import Testing

@testable import BenchReport

struct NumberTextTests {
  @Test(arguments: [
    (1.005, 1, "1.0"), (0.999, 2, "1.00"), (-0.04, 1, "0.0"), (-1.25, 1, "-1.3"), (12.034, 3, "12.034"), (7, 0, "7"),
  ]) func fixed(value: Double, decimals: Int, text: String) {
    #expect(NumberText.fixed(value, decimals) == text)
  }

  @Test(
    arguments: [
      (123.456, 4, "123.5"), (123_456, 3, "123456"), (0.0001234, 3, "0.000123"), (1, 4, "1"), (0, 3, "0"),
      (-2.50, 3, "-2.5"), (0.05, 6, "0.05"),
    ] as [(Double, Int, String)]) func significant(value: Double, digits: Int, text: String)
  {
    #expect(NumberText.significant(value, digits) == text)
  }

  @Test func largeOnesAreGroupedOrShort() {
    #expect(NumberText.grouped(1_234_567) == "1,234,567" && NumberText.grouped(-12) == "-12")
    #expect(NumberText.short(1000) == "1 k" && NumberText.short(2_500_000) == "2.5 M" && NumberText.short(999) == "999")
  }
}
