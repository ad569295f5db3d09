import CReference
import Dataplane

/// What the references call an outcome, and lbd.
enum ReferenceOutcome {
  /// lbd's name for a reference's outcome; nil for what is out of a reference's scope.
  static func outcome(_ reference: creference_outcome) -> Outcome? {
    switch reference {
    case CREFERENCE_PENDING: .pending
    case CREFERENCE_DIRECT_ROUTING: .directRouting
    case CREFERENCE_MASQUERADE_REQUEST: .masqueradeRequest
    case CREFERENCE_MASQUERADE_REPLY: .masqueradeReply
    case CREFERENCE_TUNNEL: .tunnel
    case CREFERENCE_FULLNAT_REQUEST: .fullNATRequest
    case CREFERENCE_FULLNAT_REPLY: .fullNATReply
    case CREFERENCE_NOT_OURS: .notOurs
    case CREFERENCE_NO_CONNECTION: .noConnection
    case CREFERENCE_NO_REPLY_CONNECTION: .noReplyConnection
    case CREFERENCE_PRIVILEGED_SOURCE: .privilegedSource
    case CREFERENCE_MALFORMED: .malformed
    case CREFERENCE_BAD_HEADER_CHECKSUM: .badHeaderChecksum
    case CREFERENCE_OTHER_HOST: .otherHost
    case CREFERENCE_TABLE_FULL: .tableFull
    case CREFERENCE_LOCAL_PORTS_EXHAUSTED: .localPortsExhausted
    default: nil
    }
  }

  /// A reference's counters by the number of lbd's outcome.
  static func counts(_ count: (creference_outcome) -> UInt64) -> [UInt64] {
    var counts = [UInt64](repeating: 0, count: Outcome.allCases.count)
    for number in 0..<CREFERENCE_OUTCOME_COUNT.rawValue {
      let reference = creference_outcome(rawValue: number)
      if let outcome = outcome(reference) { counts[Int(outcome.rawValue)] += count(reference) }
    }
    return counts
  }
}
