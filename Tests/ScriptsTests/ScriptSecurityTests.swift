import Foundation
import Glibc
import Testing

@testable import Scripts

/// The way to a program, step by step.
@Suite(.enabled(if: Workshop.isRoot, "needs root")) struct ScriptSecurityTests {
  private let workshop: Workshop

  init() throws {
    workshop = try Workshop()
    mkdir(workshop.path("a"), 0o755)
    mkdir(workshop.path("b"), 0o755)
    try workshop.file("b/script", "")
    symlink("../b/script", workshop.path("a/relative"))
    symlink(workshop.path("b/script"), workshop.path("a/absolute"))
    symlink("circle", workshop.path("circle"))
  }

  private func weakness(_ name: String) throws -> String? {
    try ScriptSecurity.weakness(of: workshop.path(name)).map {
      "\($0.path.dropFirst(workshop.folder.count)) \($0.reason)"
    }
  }

  @Test func whatOnlyRootCanChangeIsStrong() throws {
    // /tmp itself can be written to by everybody, but is sticky.
    for name in ["b/script", "a/relative", "a/absolute", "b/../b/./script", "b//script"] {
      #expect(try weakness(name) == nil, "\(name)")
    }
    #expect(try ScriptSecurity.weakness(of: "/bin/sh") == nil)
  }

  @Test(
    arguments: [
      ("b/script", 0o775, 1, nil, "can be written to by group 1"), ("b/script", 0o775, 0, nil, nil),
      ("b/script", 0o757, 0, nil, "can be written to by everybody"),
      ("b", 0o777, 0, nil, "can be written to by everybody"),
      ("b", 0o1777, 0, nil, nil), ("b", 0o770, 1, nil, "can be written to by group 1"),
      ("b/script", 0o755, 0, 1, "belongs to user 1"), ("b", 0o1755, 0, 1, "belongs to user 1"),
    ] as [(String, mode_t, gid_t, uid_t?, String?)])
  func aWeakStepIsNamed(step: String, mode: mode_t, group: gid_t, owner: uid_t?, reason: String?) throws {
    chown(workshop.path(step), owner ?? 0, group)
    chmod(workshop.path(step), mode)
    for name in ["b/script", "a/relative", "a/absolute"] {
      #expect(try weakness(name) == reason.map { "/\(step) \($0)" }, "\(name)")
    }
  }

  @Test func anotherUsersLinkIsWeak() throws {
    lchown(workshop.path("a/relative"), 1, 0)
    #expect(try weakness("a/relative") == "/a/relative belongs to user 1")
    #expect(try weakness("a/absolute") == nil)
  }

  @Test(arguments: [("circle", ELOOP), ("none", ENOENT), ("b/script/x", ENOTDIR)] as [(String, Int32)])
  func aWayThatLeadsNowhereIsAnError(name: String, number: Int32) {
    let error = #expect(throws: ScriptSecurity.Errno.self) { try weakness(name) }
    #expect(error?.number == number)
  }
}
