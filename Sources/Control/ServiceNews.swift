import Scheduler

extension VirtualServices {
  /// Something a scheduler has to hear once the new list is published, and the list's pace right after it happened.
  struct Change {
    var service: UInt16
    var scheduler: Scheduler
    var pace: (step: UInt32, maximum: UInt32)
    var change: ServerListChange
  }

  /// What workers' memory has to hear once the new list is published.
  struct News {
    var changes: [Change]
    var renewed: [UInt16]
    var relieved: [UInt16]
    /// Connections of removed servers are to be forgotten.
    var forgets: Bool
  }
}
