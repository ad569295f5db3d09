import Testing

@testable import Config

struct IpvsadmBatchTests {
  @Test(
    arguments: [
      ("", []), ("\n \n\t\n", []), ("-C", [["-C"]]), ("-C\n-L -n\n", [["-C"], ["-L", "-n"]]),
      ("ipvsadm -C\r\n", [["-C"]]), ("ipvsadm\n-C", [["-C"]]), ("ipvsadm ipvsadm -C", [["ipvsadm", "-C"]]),
      ("  -A\t-t  'a b' # c\n", [["-A", "-t", "'a", "b'", "#", "c"]]), ("-C\u{0}\n", [["-C\u{0}"]]),
    ] as [(String, [[String]])])
  func linesAreWords(text: String, expected: [[String]]) {
    #expect(Array(IpvsadmBatch(Array(text.utf8))) == expected)
  }

  @Test func aLineHasAnEndOfWords() {
    let words = Array(IpvsadmBatch(Array(String(repeating: "-x ", count: 100_000).utf8)))
    #expect(words.count == 1 && words.first?.count == 257)
  }
}
