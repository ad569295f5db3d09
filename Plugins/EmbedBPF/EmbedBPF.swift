import Foundation
import PackagePlugin

/// Compiles `bpf/NAME.bpf.c` with the toolchain's own clang and embeds the object as a Swift file.
///
/// One command per program, whose only declared output is the Swift file: a declared object file would be copied into
/// the product as a resource. Every header of `bpf/` is an input of every command, so a change to one rebuilds all.
@main
struct EmbedBPF: BuildToolPlugin {
  private static let programs = [
    (source: "director", type: "DirectorProgram"),
    (source: "realserver", type: "RealServerProgram"),
    (source: "toa", type: "ClientAddressProgram"),
    (source: "lab", type: "LabProgram"),
  ]

  func createBuildCommands(context: PluginContext, target: Target) throws -> [Command] {
    let folder = context.package.directoryURL.appending(path: "bpf")
    let headers = try FileManager.default
      .contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
      .filter { $0.pathExtension == "h" }
      .sorted { $0.path() < $1.path() }
    let clang = try context.tool(named: "clang").url
    let embed = try context.tool(named: "bpfembed").url

    return EmbedBPF.programs.map { program in
      let source = folder.appending(path: "\(program.source).bpf.c")
      let output = context.pluginWorkDirectoryURL.appending(path: "\(program.type).swift")
      return .buildCommand(
        displayName: "Embedding \(program.source).bpf.c",
        executable: embed,
        arguments: [clang.path(), source.path(), output.path(), program.type],
        inputFiles: [source] + headers,
        outputFiles: [output])
    }
  }
}
