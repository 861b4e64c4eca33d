// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// What berth can do: one function a verb. Each gets the words from the verb on
// (argv[0] is its name) and returns the exit status, or -1 with ERR set.
#ifndef BERTH_VERBS_H
#define BERTH_VERBS_H

#include "logic/err.h"

enum { VERB_FAILED = 1, VERB_USAGE = 2 };

int verb_run(int argc, char **argv, struct berth_err *err);
int verb_exec(int argc, char **argv, struct berth_err *err);
int verb_attach(int argc, char **argv, struct berth_err *err);
int verb_logs(int argc, char **argv, struct berth_err *err);
int verb_stop(int argc, char **argv, struct berth_err *err);
int verb_kill(int argc, char **argv, struct berth_err *err);
int verb_pause(int argc, char **argv, struct berth_err *err);
int verb_unpause(int argc, char **argv, struct berth_err *err);

// user/save.c
int verb_save(int argc, char **argv, struct berth_err *err);

// user/lists.c
int verb_ps(int argc, char **argv, struct berth_err *err);
int verb_stats(int argc, char **argv, struct berth_err *err);
int verb_gpus(int argc, char **argv, struct berth_err *err);

// user/images.c
int verb_images(int argc, char **argv, struct berth_err *err);
int verb_pull(int argc, char **argv, struct berth_err *err);
int verb_load(int argc, char **argv, struct berth_err *err);
int verb_rm(int argc, char **argv, struct berth_err *err);
int verb_rmi(int argc, char **argv, struct berth_err *err);
int verb_tree(int argc, char **argv, struct berth_err *err);

#endif
