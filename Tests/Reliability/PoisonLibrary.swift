import Foundation

/// A message that ends the process which handles it, without a word of it in the product: a library put
/// before librdkafka (`LD_PRELOAD`) dies when the worker asks for the time of a message that holds the text.
///
/// The worker asks for it once a message, after it has noted what it is about to handle (`Worker.handOver`). The
/// dead letter's writer asks too, after the headers: that spares the process, since to quarantine is not to handle.
package struct PoisonLibrary: Sendable {
    private let path: String

    /// Compiles the library with the toolchain's clang; nil, and `skipped` said, where there is none.
    package init?(folder: String, test: String = #function) throws {
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        path = "\(folder)/poison.so"
        try Self.source.write(toFile: "\(folder)/poison.c", atomically: true, encoding: .utf8)
        let compiler = try ChildProcess(
            [
                "/usr/bin/env", "clang", "-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o", path,
                "\(folder)/poison.c", "-ldl",
            ],
            environment: ProcessInfo.processInfo.environment, log: "\(folder)/poison.log")
        guard compiler.wait(seconds: 60) == .exited(0) else {
            print("skipped: \(test) needs clang to compile a small library: \(compiler.tail)")
            return nil
        }
    }

    /// Variables for a process that is to die by this signal at a message that holds the text.
    ///
    /// - Parameter spared: how often its time may be asked for before: a merge of topics asks once.
    package func environment(text: String, signal: Int32, spared: Int = 0) -> [String: String] {
        ["LD_PRELOAD": path, "POISON_TEXT": text, "POISON_SIGNAL": "\(signal)", "POISON_SPARED": "\(spared)"]
    }

    private static let source = """
        #define _GNU_SOURCE
        #include <dlfcn.h>
        #include <librdkafka/rdkafka.h>
        #include <signal.h>
        #include <stdlib.h>
        #include <string.h>
        #include <unistd.h>

        static __thread const rd_kafka_message_t *copied;

        rd_kafka_resp_err_t rd_kafka_message_headers(const rd_kafka_message_t *message, rd_kafka_headers_t **headers) {
            copied = message;
            rd_kafka_resp_err_t (*real)(const rd_kafka_message_t *, rd_kafka_headers_t **) =
                dlsym(RTLD_NEXT, "rd_kafka_message_headers");
            return real(message, headers);
        }

        int64_t rd_kafka_message_timestamp(const rd_kafka_message_t *message, rd_kafka_timestamp_type_t *type) {
            const char *text = getenv("POISON_TEXT"), *number = getenv("POISON_SIGNAL");
            int handles = text && number && message != copied && message->payload;
            // Once: another message may come to lie in its place.
            copied = NULL;
            static __thread int asked;
            const char *spared = getenv("POISON_SPARED");
            if (handles && memmem(message->payload, message->len, text, strlen(text))
                && ++asked > (spared ? atoi(spared) : 0)) {
                // A crash comes on the thread that does the work; a kill from outside, to the process.
                if (atoi(number) == SIGABRT) abort();
                kill(getpid(), atoi(number));
                for (;;) pause();
            }
            int64_t (*real)(const rd_kafka_message_t *, rd_kafka_timestamp_type_t *) =
                dlsym(RTLD_NEXT, "rd_kafka_message_timestamp");
            return real(message, type);
        }
        """
}
