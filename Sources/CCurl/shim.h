// The types and constants of libcurl; its functions are looked up when they are needed (LibCurl.swift).
#include <curl/curl.h>

// Swift cannot call functions of variable arguments: these call one that was looked up by its name.
typedef void (*souk_curl_function)(void);

static inline CURLcode souk_curl_set_number(souk_curl_function set, CURL *handle, CURLoption option, long value) {
    return ((CURLcode(*)(CURL *, CURLoption, ...))set)(handle, option, value);
}

static inline CURLcode souk_curl_set_size(souk_curl_function set, CURL *handle, CURLoption option, curl_off_t value) {
    return ((CURLcode(*)(CURL *, CURLoption, ...))set)(handle, option, value);
}

static inline CURLcode souk_curl_set_pointer(
    souk_curl_function set, CURL *handle, CURLoption option, const void *value) {
    return ((CURLcode(*)(CURL *, CURLoption, ...))set)(handle, option, value);
}

// For both directions: curl_read_callback and curl_write_callback.
static inline CURLcode souk_curl_set_transfer(
    souk_curl_function set, CURL *handle, CURLoption option, curl_read_callback value) {
    return ((CURLcode(*)(CURL *, CURLoption, ...))set)(handle, option, value);
}

static inline CURLcode souk_curl_set_debug(
    souk_curl_function set, CURL *handle, CURLoption option, curl_debug_callback value) {
    return ((CURLcode(*)(CURL *, CURLoption, ...))set)(handle, option, value);
}

static inline CURLcode souk_curl_set_progress(
    souk_curl_function set, CURL *handle, CURLoption option, curl_xferinfo_callback value) {
    return ((CURLcode(*)(CURL *, CURLoption, ...))set)(handle, option, value);
}

static inline CURLcode souk_curl_get_number(souk_curl_function get, CURL *handle, CURLINFO information, long *value) {
    return ((CURLcode(*)(CURL *, CURLINFO, ...))get)(handle, information, value);
}
