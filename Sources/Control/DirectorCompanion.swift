/// Somebody who goes with a director through its life: it is told of its steps, and sees its signals first.
///
/// All calls come from the director's own thread, between other work.
public protocol DirectorCompanion: AnyObject {
  /// Signals that are the companion's, besides those that every director knows.
  var signals: [Int32] { get }

  /// The director forwards.
  func isReady(_ director: Director)

  /// A signal has come.
  /// - Returns: true when the companion has seen to it, which it must for those of its own.
  func handle(signal: Int32, of director: Director) -> Bool
}
