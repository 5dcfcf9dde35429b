import Commands
import Foundation

let words = Array(CommandLine.arguments.dropFirst())
CommandLineTool.hideSecrets()
exit(CommandLineTool.run(words))
