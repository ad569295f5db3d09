import Testing

@testable import Config

@Suite struct CommandWordsTests {
  @Test(arguments: [
    ("ipvsadm -A -t 10.0.0.1:80", ["ipvsadm", "-A", "-t", "10.0.0.1:80"]),
    ("  a\tb  ", ["a", "b"]), ("", []), ("# a", []), ("a # b", ["a"]), ("a#b", ["a#b"]),
    ("'a b' \"c d\"e", ["a b", "c de"]), ("''", [""]), ("a\\ b \\#", ["a b", "#"]),
    ("\"a\\\"b\\\\c\\d\"", ["a\"b\\c\\d"]),
    ("'a\\b'", ["a\\b"]), ("a\r\n", ["a"]),
  ])
  func splits(line: String, words: [String]) {
    #expect(CommandWords.split(line) == .success(words))
  }

  @Test(arguments: ["'a", "\"a", "a\\", "\"a\\"])
  func refuses(line: String) {
    guard case .failure = CommandWords.split(line) else {
      Issue.record("\(line) was split")
      return
    }
  }
}
