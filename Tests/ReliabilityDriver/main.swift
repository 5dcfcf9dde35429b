import Foundation
import Reliability

exit(ReliabilityTool.run(Array(CommandLine.arguments.dropFirst())))
