import Testing

/// Every recorded scheduler run, all the way from frames to frames.
struct SchedulerRecordingTests {
  @Test func recordingsAreThere() { #expect(SchedulerRecording.all.count >= 45) }

  @Test(arguments: SchedulerRecording.all) func connectionsGoWhereTheyWent(recording: SchedulerRecording) throws {
    let folder = try TemporaryFolder()
    let rows = try recording.writeCase(into: folder.path)
    #expect(!rows.isEmpty)
    let playback = try Playback(folder: folder.path)
    #expect(SchedulerRecording.differences(rows: rows, playback: playback) == [])
  }
}
