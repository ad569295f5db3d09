import Config
import Testing

/// Words of `lbd reload`.
struct ReloadQuestionTests {
  @Test(arguments: [[], ["--dry-run"], ["--reset"], ["--dry-run", "--reset", "/etc/other.conf"]])
  func wordsMeanTheSameThereAndBack(words: [String]) throws {
    let question = try ReloadQuestion(words: words)
    #expect(question.words == words)
    #expect(try LbdQuestion(LbdQuestion.reload(question).request) == .reload(question))
  }

  @Test(arguments: [["/etc/other.conf"], ["--dry-run", "other.conf"], ["--dry-run", "/a", "/b"], ["--dryrun"]])
  func otherWordsAreRefused(words: [String]) {
    #expect(throws: IpvsadmError.self) { try ReloadQuestion(words: words) }
  }
}
