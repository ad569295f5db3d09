import Foundation
import Testing

@testable import Config

@Suite struct DiagnosticJSONTests {
  @Test func findingIsAnObject() throws {
    let source = Source(
      file: "a\"\\\n\u{1}é.conf", definition: Definition(name: "V", position: Position(file: "b", line: 1, column: 2)))
    let finding = Diagnostic(.fault, at: Position(source, line: 3, column: 4), "what", remedy: "do")
    let object = try #require(
      try JSONSerialization.jsonObject(with: Data(finding.json.utf8)) as? [String: Any])
    #expect(object["file"] as? String == "a\"\\\n\u{1}é.conf")
    #expect(object["line"] as? Int == 3)
    #expect(object["column"] as? Int == 4)
    #expect(object["severity"] as? String == "error")
    #expect(object["remedy"] as? String == "do")
    #expect((object["variable"] as? [String: Any])?["name"] as? String == "V")
  }

  @Test func explanationIsAnArrayOfBlocks() throws {
    let text = "virtual_server 10.0.0.1 80 {\nprotocol TCP\nreal_server 10.1.0.1 80 { }\n}\n"
    let bytes = ConfigurationText(bytes: Array(text.utf8), identity: "t")
    let json = readConfiguration(bytes, file: "t", ReadingOptions(), NoFiles()).explanation.json
    let blocks = try #require(try JSONSerialization.jsonObject(with: Data(json.utf8)) as? [[String: Any]])
    #expect((blocks.last?["title"] as? String)?.hasPrefix("virtual_server") == true)
    let values = blocks.last?["values"] as? [[String: Any]]
    #expect(values?.first?["origin"] as? String == "line")
    #expect(values?[1]["origin"] as? String == "default")
    #expect((blocks.last?["blocks"] as? [[String: Any]])?.count == 1)
  }
}
