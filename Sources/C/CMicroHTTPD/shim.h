#pragma once
#include <microhttpd.h>
#include <stdarg.h>
#include <string.h>
#include <strings.h>

// Swift cannot call variadic functions: the daemon's options and the questions about a connection stand here.

struct impactiq_http_options {
    int socket;
    unsigned int threads;
    unsigned int connections;
    unsigned int connections_per_address;
    unsigned int idle_seconds;
    size_t connection_bytes;
    size_t stack_bytes;
    // PEM texts; both null without TLS.
    const char *certificate;
    const char *private_key;
    MHD_AccessHandlerCallback handler;
    MHD_RequestCompletedCallback completed;
    MHD_NotifyConnectionCallback connection;
    void *context;
    // Gets the status of what the library answers by itself, on the thread of the connection. The logger's context: lives
    // as long as the daemon.
    struct impactiq_http_refusals *refusals;
};

struct impactiq_http_refusals {
    void (*refused)(void *context, unsigned int status);
    void *context;
};

// libmicrohttpd answers what it cannot read by itself, asks nobody, and tells its log alone: connection.c,
// transmit_error_response_len, up to 0.9.77.
static inline void impactiq_http_log(void *context, const char *format, va_list arguments) {
    struct impactiq_http_refusals *refusals = (struct impactiq_http_refusals *)context;
    const char *status = strstr(format, "HTTP response code is %u");
    // The status must be its first argument, and the answer's text its second.
    if (!status || memchr(format, '%', (size_t)(status - format))) return;
    unsigned int code = va_arg(arguments, unsigned int);
    const char *next = strchr(status + strlen("HTTP response code is %u"), '%');
    const char *page = next && next[1] == 's' ? va_arg(arguments, const char *) : NULL;
    if (!page || !strstr(page, "chunk")) refusals->refused(refusals->context, code);
}

// Decodes %XX in place. The library hands out C strings, which a NUL would cut short: "/v1/users/a%00b" would be the user "a".
// It becomes a byte that is no UTF-8, which is refused.
static inline size_t impactiq_http_unescape(void *context, struct MHD_Connection *connection, char *text) {
    (void)context;
    (void)connection;
    for (char *at = strstr(text, "%00"); at; at = strstr(at + 3, "%00")) at[1] = at[2] = 'f';
    return MHD_http_unescape(text);
}

static inline struct MHD_Daemon *impactiq_http_start(const struct impactiq_http_options *o) {
    unsigned int flags = MHD_USE_ERROR_LOG | MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_TURBO | MHD_USE_ITC;
    struct MHD_OptionItem tls[] = {
        {MHD_OPTION_HTTPS_MEM_CERT, 0, (void *)o->certificate},
        {MHD_OPTION_HTTPS_MEM_KEY, 0, (void *)o->private_key},
        {MHD_OPTION_END, 0, NULL},
    };
    struct MHD_OptionItem none[] = {{MHD_OPTION_END, 0, NULL}};
    if (o->certificate) flags |= MHD_USE_TLS;
    return MHD_start_daemon(
        flags, 0, NULL, NULL, o->handler, o->context,
        MHD_OPTION_EXTERNAL_LOGGER, &impactiq_http_log, o->refusals,
        MHD_OPTION_LISTEN_SOCKET, (MHD_socket)o->socket,
        MHD_OPTION_THREAD_POOL_SIZE, o->threads,
        MHD_OPTION_CONNECTION_LIMIT, o->connections,
        MHD_OPTION_PER_IP_CONNECTION_LIMIT, o->connections_per_address,
        MHD_OPTION_CONNECTION_TIMEOUT, o->idle_seconds,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, o->connection_bytes,
        MHD_OPTION_THREAD_STACK_SIZE, o->stack_bytes,
        MHD_OPTION_STRICT_FOR_CLIENT, 1,
        MHD_OPTION_UNESCAPE_CALLBACK, &impactiq_http_unescape, NULL,
        MHD_OPTION_NOTIFY_COMPLETED, o->completed, o->context,
        MHD_OPTION_NOTIFY_CONNECTION, o->connection, o->context,
        MHD_OPTION_ARRAY, o->certificate ? tls : none,
        MHD_OPTION_END);
}

static inline int impactiq_http_descriptor(struct MHD_Connection *connection) {
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    return info ? (int)info->connect_fd : -1;
}

static inline void *impactiq_http_socket_context(struct MHD_Connection *connection) {
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info ? info->socket_context : NULL;
}

static inline struct MHD_Response *impactiq_http_copy(size_t count, const void *bytes) {
    return MHD_create_response_from_buffer(count, (void *)bytes, MHD_RESPMEM_MUST_COPY);
}

static inline struct MHD_Response *impactiq_http_lend(size_t count, const void *bytes) {
    return MHD_create_response_from_buffer(count, (void *)bytes, MHD_RESPMEM_PERSISTENT);
}

static inline ssize_t impactiq_http_end_of_stream(void) { return MHD_CONTENT_READER_END_OF_STREAM; }
static inline uint64_t impactiq_http_unknown_size(void) { return MHD_SIZE_UNKNOWN; }

// Swift does not import the constants of these enumerations.

static inline const char *impactiq_http_header(struct MHD_Connection *connection, const char *name) {
    return MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
}

static inline const char *impactiq_http_argument(struct MHD_Connection *connection, const char *name) {
    return MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, name);
}

// How often a header stands in the request: MHD_lookup_connection_value gives the first alone.
struct impactiq_http_count {
    const char *name;
    int count;
};

static inline enum MHD_Result impactiq_http_count_one(
    void *context, enum MHD_ValueKind kind, const char *name, const char *value) {
    struct impactiq_http_count *c = (struct impactiq_http_count *)context;
    (void)kind;
    (void)value;
    if (name && strcasecmp(name, c->name) == 0) c->count += 1;
    return MHD_YES;
}

static inline int impactiq_http_header_count(struct MHD_Connection *connection, const char *name) {
    struct impactiq_http_count c = {name, 0};
    MHD_get_connection_values(connection, MHD_HEADER_KIND, &impactiq_http_count_one, &c);
    return c.count;
}

static inline enum MHD_ValueKind impactiq_http_argument_kind(void) { return MHD_GET_ARGUMENT_KIND; }

// How a request ended.
static inline int impactiq_http_is_time_out(enum MHD_RequestTerminationCode code) {
    return code == MHD_REQUEST_TERMINATED_TIMEOUT_REACHED;
}

static inline int impactiq_http_is_hang_up(enum MHD_RequestTerminationCode code) {
    return code == MHD_REQUEST_TERMINATED_READ_ERROR || code == MHD_REQUEST_TERMINATED_CLIENT_ABORT;
}

static inline int impactiq_http_is_shutdown(enum MHD_RequestTerminationCode code) {
    return code == MHD_REQUEST_TERMINATED_DAEMON_SHUTDOWN;
}

static inline enum MHD_Result impactiq_http_result(int is_good) { return is_good ? MHD_YES : MHD_NO; }

static inline int impactiq_http_is_start(enum MHD_ConnectionNotificationCode code) {
    return code == MHD_CONNECTION_NOTIFY_STARTED;
}
