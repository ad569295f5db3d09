/// IPVS's state machines: what a packet does to its connection, by direction and event. A line for each event, a column
/// for each state; the next state's abbreviation in each place.
///
/// They see only one side of most conversations (DR and TUN replies go past the director), so they are not those of RFC
/// 9293 and RFC 9260: they decide a connection's timeout and whether it counts as active.
enum StateTables {
  /// TCP's states in IPVS's numbering: NONE, ESTABLISHED, SYN_SENT, SYN_RECV, FIN_WAIT, TIME_WAIT, CLOSE, CLOSE_WAIT,
  /// LAST_ACK, LISTEN, SYNACK.
  static let tcpStates = "NO ES SS SR FW TW CL CW LA LI SA"

  /// Lines: SYN, FIN, ACK, RST.
  static let tcp = Directions(
    input: [
      "SR ES ES SR SR SR SR SR SR SR SR",
      "CL CW SS TW TW TW CL CW LA LI TW",
      "ES ES SS ES FW TW CL CW CL LI ES",
      "CL CL CL SR CL CL CL CL LA LI SR",
    ],
    inputOnly: [
      "SR ES ES SR SR SR SR SR SR SR SR",
      "CL FW SS TW FW TW CL CW LA LI TW",
      "ES ES SS ES FW TW CL CW CL LI ES",
      "CL CL CL SR CL CL CL CL LA LI CL",
    ],
    output: [
      "SS ES SS SR SS SS SS SS SS LI SR",
      "TW FW SS TW FW TW CL TW LA LI TW",
      "ES ES SS ES FW TW CL CW LA ES ES",
      "CL CL SS CL CL TW CL CL CL CL CL",
    ])

  /// The same while `secure_tcp` is in effect: a connection of NAT is established only once the server has answered.
  static let secureTCP = Directions(
    input: [
      "SR ES ES SR SR SR SR SR SR SR SA",
      "CL CW SS TW TW TW CL CW LA LI SA",
      "ES ES SS SR FW TW CL CW CL LI SA",
      "CL CL CL SR CL CL CL CL LA LI CL",
    ],
    inputOnly: [
      "SA ES ES SR SA SA SA SA SA SA SA",
      "CL FW SS TW FW TW CL CW LA LI TW",
      "ES ES SS ES FW TW CL CW CL LI ES",
      "CL CL CL SR CL CL CL CL LA LI CL",
    ],
    output: [
      "SS ES SS SA SS SS SS SS SS LI SA",
      "TW FW SS TW FW TW CL TW LA LI TW",
      "ES ES SS ES FW TW CL CW LA ES ES",
      "CL CL SS CL CL TW CL CL CL CL CL",
    ])

  /// SCTP's states in IPVS's numbering: NONE, INIT1, INIT, COOKIE_SENT, COOKIE_REPLIED, COOKIE_WAIT, COOKIE,
  /// COOKIE_ECHOED, ESTABLISHED, SHUTDOWN_SENT, SHUTDOWN_RECEIVED, SHUTDOWN_ACK_SENT, REJECTED, CLOSED.
  static let sctpStates = "NO I1 IN CS CR CW CO CE ES SS SR SA RJ CL"

  /// Lines: DATA and all others, INIT, INIT ACK, COOKIE ECHO, COOKIE ACK, SHUTDOWN, SHUTDOWN ACK, SHUTDOWN COMPLETE,
  /// ERROR, ABORT.
  static let sctp = Directions(
    input: [
      "ES I1 IN CS CR CW CO CE ES SS SR SA RJ CL",
      "I1 IN IN CS CR CW CO CE ES SS SR SA IN IN",
      "CW CW CW CS CR CO CO CE ES SS SR SA RJ CL",
      "CR IN IN CR CR CW CO CE ES SS SR SA RJ CL",
      "ES I1 IN CS CR CW CO ES ES SS SR SA RJ CL",
      "SR I1 IN CS CR CW CO CE SR SS SR SA RJ CL",
      "CL IN IN CS CR CW CO CE ES CL SR CL RJ CL",
      "CL CL CL CS CR CW CO CE ES SS SR CL RJ CL",
      "CL I1 IN CS CR CW CO CL ES SS SR SA RJ CL",
      "CL CL CL CL CL RJ CL CL CL CL CL CL CL CL",
    ],
    inputOnly: [
      "ES I1 IN CS CR ES CO CE ES SS SR SA RJ CL",
      "I1 IN IN IN IN IN CO CE ES SS SR SA IN IN",
      "CE CE CE CE CE CE CO CE ES SS SR SA RJ CL",
      "ES ES ES ES ES ES CO CE ES SS SR SA RJ CL",
      "ES I1 IN ES ES CW ES ES ES SS SR SA RJ CL",
      "SR I1 IN CS CR CW CO CE SR SS SR SA RJ CL",
      "CL IN IN CS CR CW CO CE CL CL SR CL RJ CL",
      "CL CL CL CL CL CW CO CE ES SS CL CL RJ CL",
      "CL I1 IN CS CR CW CO CE ES SS SR SA RJ CL",
      "CL CL CL CL CL RJ CL CL CL CL CL CL CL CL",
    ],
    output: [
      "ES I1 IN CS CR CW CO CE ES SS SR SA RJ CL",
      "CW CW CW CW CW CW CW CW ES CW CW CW CW CW",
      "CS CS CS CS CR CW CO CE ES SS SR SA RJ CL",
      "CE CE CE CE CE CE CE CE ES SS SR SA RJ CL",
      "ES ES ES ES ES ES ES ES ES SS SR SA RJ CL",
      "SS SS SS SS SS SS SS SS SS SS SR SA RJ CL",
      "SA SA SA SA SA CW CO CE ES SA SA SA RJ CL",
      "CL I1 IN CS CR CW CO CE ES SS SR SA RJ CL",
      "CL CL CL CL CL CW CO CE ES SS SR SA RJ CL",
      "CL RJ CL CL CL CL CL CL CL CL CL CL CL CL",
    ])

  /// The tables of a protocol: of requests, of requests whose replies are not seen, of replies.
  struct Directions {
    let input: [String]
    let inputOnly: [String]
    let output: [String]

    /// [event][state]: the next state.
    func rows(_ row: ConnectionState.Row, states: String) -> [[UInt8]] {
      let names = states.split(separator: " ")
      let lines = row == .input ? input : row == .output ? output : inputOnly
      return lines.map { line in
        line.split(separator: " ").map { name in UInt8(names.firstIndex(of: name) ?? 0) }
      }
    }
  }
}
