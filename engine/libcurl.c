// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers

#include "engine/libcurl.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#define FUNCTION(name)                                                         \
    {                                                                          \
        "curl_" #name, offsetof(struct libcurl, name)                          \
    }

static const struct {
    const char *name;
    size_t place;
} functions[] = {
    FUNCTION(global_init),      FUNCTION(global_cleanup),
    FUNCTION(slist_append),     FUNCTION(slist_free_all),
    FUNCTION(easy_init),        FUNCTION(easy_cleanup),
    FUNCTION(easy_setopt),      FUNCTION(easy_getinfo),
    FUNCTION(easy_pause),       FUNCTION(easy_strerror),
    FUNCTION(multi_init),       FUNCTION(multi_cleanup),
    FUNCTION(multi_add_handle), FUNCTION(multi_remove_handle),
    FUNCTION(multi_perform),    FUNCTION(multi_wait),
    FUNCTION(multi_info_read),
};
enum { FUNCTIONS = sizeof(functions) / sizeof(*functions) };
_Static_assert(sizeof(struct libcurl) == FUNCTIONS * sizeof(void *),
               "each function has its line");

const struct libcurl *libcurl_load(struct berth_err *err)
{
    static struct libcurl found;
    static bool loaded;
    void *library = loaded ? NULL : dlopen(BERTH_LIBCURL, RTLD_NOW);

    if (loaded)
        return &found;
    for (size_t i = 0; library && i < FUNCTIONS; i++) {
        void *symbol = dlsym(library, functions[i].name);
        if (!symbol) {
            dlclose(library);
            library = NULL;
        }
        memcpy((char *)&found + functions[i].place, &symbol, sizeof(symbol));
    }
    if (!library) {
        err_set(err, BERTH_ESYS,
                "no engine can be asked without %s, which is missing or "
                "damaged: ask your administrator to install it",
                BERTH_LIBCURL);
        return NULL;
    }
    loaded = true;
    return &found;
}
