/// What `lbd` asks a running lbd: `lbd why`, `lbd top`, which change nothing, and `lbd reload`.
public enum LbdQuestion: Hashable, Sendable {
  /// What would become of packets.
  case why(WhyQuestion)
  /// Numbers of everything, for programs that show them.
  case numbers
  /// To read the configuration again.
  case reload(ReloadQuestion)

  /// From a request.
  public init(_ request: AdminRequest) throws(IpvsadmError) {
    switch request.arguments.first {
    case "why":
      self = .why(try WhyQuestion(words: Array(request.arguments.dropFirst()), input: request.input))
    case "numbers" where request.arguments.count == 1: self = .numbers
    case "reload": self = .reload(try ReloadQuestion(words: Array(request.arguments.dropFirst())))
    default:
      throw IpvsadmError("'\(request.arguments.first ?? "")' is no question that this lbd understands", exitCode: 2)
    }
  }

  /// As a request.
  public var request: AdminRequest {
    var request = AdminRequest()
    request.isOwn = true
    switch self {
    case .why(let question):
      request.arguments = ["why"] + question.words
      request.input = question.input
    case .numbers: request.arguments = ["numbers"]
    case .reload(let question): request.arguments = ["reload"] + question.words
    }
    return request
  }
}
