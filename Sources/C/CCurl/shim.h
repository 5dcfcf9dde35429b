#pragma once
#include <curl/curl.h>

// curl_easy_setopt and curl_easy_getinfo are variadic, which Swift does not import.
static inline CURLcode ccurl_set_long(CURL *handle, CURLoption option, long value) {
    return curl_easy_setopt(handle, option, value);
}
static inline CURLcode ccurl_set_size(CURL *handle, CURLoption option, curl_off_t value) {
    return curl_easy_setopt(handle, option, value);
}
static inline CURLcode ccurl_set_text(CURL *handle, CURLoption option, const char *value) {
    return curl_easy_setopt(handle, option, value);
}
static inline CURLcode ccurl_set_pointer(CURL *handle, CURLoption option, const void *value) {
    return curl_easy_setopt(handle, option, value);
}
static inline CURLcode ccurl_set_list(CURL *handle, CURLoption option, struct curl_slist *value) {
    return curl_easy_setopt(handle, option, value);
}
typedef size_t (*ccurl_write)(char *bytes, size_t size, size_t count, void *target);
static inline CURLcode ccurl_set_write(CURL *handle, ccurl_write function, void *target) {
    curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, function);
    return curl_easy_setopt(handle, CURLOPT_WRITEDATA, target);
}
static inline CURLcode ccurl_set_header(CURL *handle, ccurl_write function, void *target) {
    curl_easy_setopt(handle, CURLOPT_HEADERFUNCTION, function);
    return curl_easy_setopt(handle, CURLOPT_HEADERDATA, target);
}
static inline long ccurl_status(CURL *handle) {
    long status = 0;
    curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
    return status;
}
static inline int ccurl_start(void) { return curl_global_init(CURL_GLOBAL_DEFAULT); }
