import Config

extension VirtualServices.Service {
  /// Keeps the persistence mask that an edit replaces. Four are kept; who edits a mask more often than that while
  /// connections last loses count of them.
  mutating func rememberMask(before next: VirtualService) {
    if spec.persistenceEngine != nil { hadEngine = true }
    let isOther = spec.persistenceMask != next.persistenceMask || next.persistenceSeconds == nil
    guard spec.persistenceSeconds != nil, isOther else { return }
    formerMasks = Array(([spec.persistenceMask] + formerMasks.filter { $0 != spec.persistenceMask }).prefix(4))
  }
}
