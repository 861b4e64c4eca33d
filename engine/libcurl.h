// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// libcurl, loaded where it is first needed: it comes with some 25 libraries,
// which take longer to load than a step needs for all else if it takes a
// container over and asks no engine.
#ifndef BERTH_LIBCURL_H
#define BERTH_LIBCURL_H

#include <curl/curl.h>

#include "logic/err.h"

// libcurl's functions, by their names without "curl_" (libcurl(3)).
struct libcurl {
    __typeof__(curl_global_init) *global_init;
    __typeof__(curl_global_cleanup) *global_cleanup;
    __typeof__(curl_slist_append) *slist_append;
    __typeof__(curl_slist_free_all) *slist_free_all;
    __typeof__(curl_easy_init) *easy_init;
    __typeof__(curl_easy_cleanup) *easy_cleanup;
    __typeof__(curl_easy_setopt) *easy_setopt;
    __typeof__(curl_easy_getinfo) *easy_getinfo;
    __typeof__(curl_easy_pause) *easy_pause;
    __typeof__(curl_easy_strerror) *easy_strerror;
    __typeof__(curl_multi_init) *multi_init;
    __typeof__(curl_multi_cleanup) *multi_cleanup;
    __typeof__(curl_multi_add_handle) *multi_add_handle;
    __typeof__(curl_multi_remove_handle) *multi_remove_handle;
    __typeof__(curl_multi_perform) *multi_perform;
    __typeof__(curl_multi_wait) *multi_wait;
    __typeof__(curl_multi_info_read) *multi_info_read;
};

// Loads it, as the library that berth was built with is called, from where the
// system has its libraries. It stays until the process ends; later calls return
// the same. NULL with ERR set (BERTH_ESYS, or NULL: the next call will say it):
// it is not there.
const struct libcurl *libcurl_load(struct berth_err *err);

#endif
