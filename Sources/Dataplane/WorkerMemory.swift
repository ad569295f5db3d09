/// What a worker remembers by itself from batch to batch, as far as a packet's fate or bytes depend on it: ICMP errors it may
/// still send, identifications, and the state of the defences.
///
/// It lies beside the worker's mailbox. The worker writes it when it is asked to, between two batches; control reads it when
/// the worker has said that it has.
final class WorkerMemory: @unchecked Sendable {
  private var generation: UInt64 = 0
  private var identification: UInt32 = 0
  private var defence = DefenceState()
  private var errorBudget = ErrorBudget(secret: HashSecret(seed: 0), workerCount: 1)

  deinit { errorBudget.deallocate() }

  /// The worker's side.
  func take(from state: borrowing WorkerState) {
    generation = state.generation
    identification = state.identification
    defence = state.defence
    errorBudget.assume(state.errorBudget)
  }

  /// Makes a state that of the worker.
  func give(to state: inout WorkerState) {
    state.generation = generation
    state.identification = identification
    state.defence = defence
    state.errorBudget.assume(errorBudget)
  }
}
