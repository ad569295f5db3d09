// The vocabulary of keepalived.conf: which keyword may stand in which block, which of them open a block, and which have
// an effect here. An unknown keyword can thus be told from a misspelt one, a misplaced one, and one that keepalived
// knows but this version does nothing with. The words themselves are in Vocabulary.swift.

/// The kinds of block, named after the keyword that opens them. Within a kind the same keywords are known.
enum BlockKind: Int, Sendable, CaseIterable {
  case root, globalDefs
  case virtualServer, realServer, virtualServerGroup, localAddressGroup, lbd, markRules, passiveCheck
  case tcpCheck, httpGet, url, smtpCheck, smtpHost, dnsCheck, miscCheck, pingCheck, udpCheck, fileCheck, bfdCheck
  case vrrpInstance, vrrpSyncGroup, vrrpScript, trackFile, vrrpTrackProcess, bfdInstance, garpGroup, authentication,
    trackGroup
  case ssl
  /// Lines of values, not of keywords: addresses, interfaces, mail addresses.
  case values
  /// The block of an unknown keyword; nothing in it is looked at.
  case unknown

  /// The keyword as written in files, for messages.
  var name: String {
    switch self {
    case .root: "the top level"
    case .globalDefs: "global_defs"
    case .virtualServer: "virtual_server"
    case .realServer: "real_server"
    case .virtualServerGroup: "virtual_server_group"
    case .localAddressGroup: "local_address_group"
    case .lbd: "lbd"
    case .markRules: "mark_rules"
    case .passiveCheck: "passive_check"
    case .tcpCheck: "TCP_CHECK"
    case .httpGet: "HTTP_GET"
    case .url: "url"
    case .smtpCheck: "SMTP_CHECK"
    case .smtpHost: "host"
    case .dnsCheck: "DNS_CHECK"
    case .miscCheck: "MISC_CHECK"
    case .pingCheck: "PING_CHECK"
    case .udpCheck: "UDP_CHECK"
    case .fileCheck: "FILE_CHECK"
    case .bfdCheck: "BFD_CHECK"
    case .vrrpInstance: "vrrp_instance"
    case .vrrpSyncGroup: "vrrp_sync_group"
    case .vrrpScript: "vrrp_script"
    case .trackFile: "track_file"
    case .vrrpTrackProcess: "vrrp_track_process"
    case .bfdInstance: "bfd_instance"
    case .garpGroup: "garp_group"
    case .authentication: "authentication"
    case .trackGroup: "track_group"
    case .ssl: "SSL"
    case .values: "a list"
    case .unknown: "an unknown block"
    }
  }

  /// True for blocks that only lbd has. In these an unknown keyword is an error; elsewhere it is passed over with a warning,
  /// as keepalived does, whose files have always had such lines.
  var isOwn: Bool { self == .lbd || self == .localAddressGroup || self == .passiveCheck }

  /// True when the block's lines begin with keywords.
  var hasKeywords: Bool {
    switch self {
    case .values, .virtualServerGroup, .localAddressGroup, .markRules: false
    default: true
    }
  }
}

/// What is known about a keyword in one kind of block.
final class Keyword: Sendable {
  /// What becomes of a directive.
  enum Effect: Sendable {
    /// A reader takes its value.
    case acted
    /// keepalived acts on it, lbd does not, for a reason.
    case none(NoEffect)
    /// No current keepalived knows it; old files have it.
    case obsolete(String)
  }

  let name: String
  /// The kind of block it opens, or nil when it opens none.
  let block: BlockKind?
  let effect: Effect

  init(name: String, block: BlockKind?, effect: Effect) {
    self.name = name
    self.block = block
    self.effect = effect
  }
}

/// Answers questions about keywords.
enum KeywordTable {
  /// The keyword `name` in a block of this kind.
  static func keyword(_ name: String, in kind: BlockKind) -> Keyword? { keywords[kind.rawValue][name] }

  /// The kinds of block that know `name`, in the order of their declaration.
  static func blocks(knowing name: String) -> [BlockKind] { places[name] ?? [] }

  /// True for keywords that open a block and stand at the top level only: meeting one inside a block means that a
  /// closing brace is missing before it.
  static func startsTopLevelBlock(_ name: String) -> Bool {
    guard let keyword = keyword(name, in: .root), keyword.block != nil else { return false }
    return blocks(knowing: name) == [.root]
  }

  /// The known keyword most like `name`: one of this block first, else of any other.
  static func suggestion(for name: String, in kind: BlockKind) -> String? {
    nearest(to: name, among: Array(keywords[kind.rawValue].keys)) ?? nearest(to: name, among: Array(places.keys))
  }

  /// For each kind of block.
  private static let keywords: [[String: Keyword]] = {
    var table = [[String: Keyword]](repeating: [:], count: BlockKind.allCases.count)
    for entry in Vocabulary.entries {
      for name in entry.keywords {
        table[entry.kind.rawValue][name] = Keyword(name: name, block: entry.block, effect: entry.effect)
      }
    }
    return table
  }()

  private static let places: [String: [BlockKind]] = {
    var places: [String: [BlockKind]] = [:]
    for kind in BlockKind.allCases {
      for name in keywords[kind.rawValue].keys { places[name, default: []].append(kind) }
    }
    return places
  }()
}

/// The candidate with the smallest edit distance to `name`, if that is small for a word of this length.
func nearest(to name: String, among candidates: [String]) -> String? {
  let word = Array(name.utf8)
  guard (3...64).contains(word.count) else { return nil }
  let limit = word.count < 5 ? 1 : word.count < 9 ? 2 : 3
  var best: (distance: Int, name: String)?
  for candidate in candidates where abs(candidate.utf8.count - word.count) <= limit {
    let distance = editDistance(word, Array(candidate.utf8))
    guard distance <= limit else { continue }
    if (distance, candidate) < (best?.distance ?? .max, best?.name ?? "") { best = (distance, candidate) }
  }
  return best?.name
}

/// Insertions, deletions, substitutions and swaps of neighbours that turn one word into the other.
func editDistance(_ left: [UInt8], _ right: [UInt8]) -> Int {
  var beforePrevious = [Int](repeating: 0, count: right.count + 1)
  var previous = Array(0...right.count)
  for row in 0..<left.count {
    var current = [row + 1]
    for column in 0..<right.count {
      let change = previous[column] + (left[row] == right[column] ? 0 : 1)
      var cost = min(change, previous[column + 1] + 1, current[column] + 1)
      if row > 0, column > 0, left[row] == right[column - 1], left[row - 1] == right[column] {
        cost = min(cost, beforePrevious[column - 1] + 1)
      }
      current.append(cost)
    }
    (beforePrevious, previous) = (previous, current)
  }
  return previous[right.count]
}
