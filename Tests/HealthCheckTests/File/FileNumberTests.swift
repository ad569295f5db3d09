import Foundation
import Testing

@testable import HealthCheck

@Suite struct FileNumberTests {
  @Test(arguments: [
    ("0", 0), ("5\n", 5), ("  -12 ", -12), ("\t\n+7", 7), ("", 0), ("abc", 0), ("12abc", 12), ("0x1F", 31), ("0x", 0),
    ("0xg", 0), ("017", 15), ("08", 0), ("-", 0), ("--5", 0), ("- 5", 0), ("2147483647", 2_147_483_647),
    ("-2147483648", -2_147_483_648), ("-0", 0),
  ])
  func numbersAreThoseOfC(_ text: String, _ number: Int) {
    #expect(FileNumber.parse(text.utf8) == number)
  }

  @Test(arguments: ["2147483648", "-2147483649", "99999999999999999999999999", "0xffffffffff"])
  func otherNumbersAreNone(_ text: String) {
    #expect(FileNumber.parse(text.utf8) == nil)
  }

  @Test func readsOnlyWhatIsAFile() throws {
    let directory = FileManager.default.temporaryDirectory.appendingPathComponent("lbd-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: directory) }
    let path = directory.appendingPathComponent("number").path
    #expect(FileNumber.read(path) == .success(0))
    try Data("42".utf8).write(to: URL(fileURLWithPath: path))
    #expect(FileNumber.read(path) == .success(42))
    #expect(FileNumber.read(path + "/below") == .success(0))
    // Digits without end: the number is too large, and no more than the beginning is read.
    try Data(repeating: 0x39, count: 1_000_000).write(to: URL(fileURLWithPath: path))
    #expect(FileNumber.read(path) == .failure(.definition("\(path) has no number of 32 bits")))
    let noFile = CheckError.definition("\(directory.path) is no file with a number in it")
    #expect(FileNumber.read(directory.path) == .failure(noFile))
    let pipe = directory.appendingPathComponent("pipe").path
    #expect(mkfifo(pipe, 0o600) == 0)
    #expect(FileNumber.read(pipe) == .failure(.definition("\(pipe) is no file with a number in it")))
  }

  private static func result(_ number: Int, weight: Int, reversed: Bool = false) -> AttemptResult {
    var definition = FileDefinition(path: "/x")
    definition.weight = weight
    definition.isReversed = reversed
    return definition.result(of: number)
  }

  @Test func withoutAWeightNotZeroIsDown() {
    #expect(Self.result(0, weight: 0) == .well())
    #expect(Self.result(1, weight: 0) == .failed(.fileNumber(1)))
    #expect(Self.result(-1, weight: 0) == .failed(.fileNumber(-1)))
    #expect(Self.result(0, weight: 0, reversed: true) == .failed(.fileNumber(0)))
    #expect(Self.result(5, weight: 0, reversed: true) == .well())
  }

  @Test func weightsAreAdded() {
    #expect(Self.result(3, weight: 2) == .well(.add(6)))
    #expect(Self.result(3, weight: 2, reversed: true) == .well(.add(-6)))
    #expect(Self.result(-3, weight: 2) == .well(.add(-6)))
    #expect(Self.result(0, weight: 2) == .well(.add(0)))
  }

  @Test func weightsBeyond32Bits() {
    let most = Int(Int32.max)
    #expect(Self.result(most, weight: -1) == .well(.add(-most)))
    #expect(Self.result(Int(Int32.min), weight: 1) == .failed(.fileNumber(Int(Int32.min))))
    #expect(Self.result(most, weight: -2) == .failed(.fileNumber(most)))
    #expect(Self.result(most, weight: 2) == .well(.add(most)))
    #expect(Self.result(Int(Int32.min), weight: .min) == .well(.add(most)))
    #expect(Self.result(2, weight: .min) == .failed(.fileNumber(2)))
    #expect(Self.result(2, weight: .min, reversed: true) == .well(.add(most)))
  }
}
