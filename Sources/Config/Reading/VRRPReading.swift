import Wire

// Parts of VRRP's blocks that have lines of their own: passwords, peers, what is tracked.

extension VRRPInstance {
  /// `authentication { auth_type PASS | AH  auth_pass TEXT }`
  mutating func readAuthentication(_ block: Directive, _ diagnostics: inout DiagnosticList) -> Bool {
    var kind: VRRPAuthentication.Kind?
    var password: [UInt8] = []
    for line in block.block?.directives ?? [] {
      switch line.keyword {
      case "auth_type":
        guard let word = line.argument(0, "PASS or AH", &diagnostics, severity: .warning) else { break }
        kind = VRRPAuthentication.Kind(rawValue: word.text)
        if kind == nil { line.refuse(word, "PASS or AH", &diagnostics) }
      case "auth_pass":
        guard let word = line.argument(0, "a password", &diagnostics, severity: .warning) else { break }
        if word.text.utf8.count > 8 {
          diagnostics.warning(
            at: word.position, "the password has more than 8 bytes, its first 8 are used",
            remedy: "shorten it: a router with the same first 8 bytes agrees with it")
        }
        password = Array(word.text.utf8.prefix(8))
      default: break
      }
    }
    guard let kind else { return false }
    guard !password.isEmpty else {
      diagnostics.warning(
        at: block.position, "there is no password, authentication is left out", remedy: "add 'auth_pass TEXT'")
      return false
    }
    authentication = VRRPAuthentication(kind: kind, password: password)
    return true
  }
}

extension VRRPNetwork {
  /// `unicast_peer { IP [min_ttl N] [max_ttl N] … }`
  mutating func readPeers(_ block: Directive, _ diagnostics: inout DiagnosticList) -> Bool {
    for line in block.lines(limit: 1000, &diagnostics) {
      guard let address = IPAddress(line.keyword) else {
        diagnostics.warning(
          at: line.position, "\(quoted(line.keyword)) is not an address, the peer is left out", remedy: "write IP")
        continue
      }
      guard peers.count < Defaults.listedNamesMax else { return block.reportTooMany(&diagnostics) }
      guard !peers.contains(where: { $0.address == address }) else {
        diagnostics.warning(at: line.position, "\(address) is a peer already, this line is left out")
        continue
      }
      var limits = 0...255
      for index in stride(from: 1, to: line.words.count - 1, by: 2) {
        guard let number = line.number(index, in: 0...255, &diagnostics) else { continue }
        switch line.words[index].text {
        case "min_ttl": limits = number...max(number, limits.upperBound)
        case "max_ttl": limits = min(number, limits.lowerBound)...number
        default: line.refuse(line.words[index], "min_ttl or max_ttl", &diagnostics)
        }
      }
      peers.append(Peer(address: address, hopLimits: limits))
    }
    isUnicast = true
    return true
  }
}

extension VRRPTracking.Reference {
  /// `NAME [weight N [reverse | noreverse]]`
  init?(_ line: Directive, weights: ClosedRange<Int>, _ diagnostics: inout DiagnosticList) {
    var weight: Int?
    var isReversed = false
    var index = 1
    while index < line.words.count {
      switch line.words[index].text {
      case "weight":
        guard let number = line.number(index, in: weights, &diagnostics) else { return nil }
        weight = min(max(number, -253), 253)
        index += 1
      case "reverse": isReversed = true
      case "noreverse": isReversed = false
      default:
        diagnostics.warning(
          at: line.words[index].position, "\(quoted(line.words[index].text)) is ignored",
          remedy: "write NAME, then 'weight N' and 'reverse'")
      }
      index += 1
    }
    guard line.keyword.utf8.count <= Defaults.textBytesMax else {
      diagnostics.warning(at: line.position, "\(quoted(line.keyword)) is too long for a name, the line is left out")
      return nil
    }
    self.init(name: line.keyword, weight: weight, isReversed: isReversed, position: line.position)
  }
}
