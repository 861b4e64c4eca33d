// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// race DIR UID ROUNDS: opens DIR/source as user UID, and judges it, by the
// code of berth-stepd, while a process of UID's turns that into a symbolic
// link to /etc, into one to a directory outside of DIR, and back, as fast as
// it can. What is accepted must always be the directory itself. Prints how
// often it was accepted and refused. As root.

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "stepd/mount_source.h"

static _Noreturn void swap(uid_t uid)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (setresgid(uid, uid, uid) < 0 || setresuid(uid, uid, uid) < 0)
        _exit(1);
    for (unsigned i = 0;; i++) {
        int bad = rename("source", "aside");
        bad |= symlink(i % 2 ? "/etc" : "../outside", "source");
        bad |= unlink("source");
        bad |= rename("aside", "source");
        if (bad)
            _exit(2);
    }
}

int main(int argc, char **argv)
{
    static const char *const never[] = {"/", "/etc", "/proc", NULL};
    char path[4096];
    struct stat want, have;
    int self = open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC);
    int accepted = 0, refused = 0;

    if (argc != 4 || chdir(argv[1]) < 0 || stat("source", &want) < 0)
        return 2;
    uid_t uid = (uid_t)atoi(argv[2]);
    struct child_user user = {uid, uid, NULL, 0};
    snprintf(path, sizeof(path), "%s/source", argv[1]);
    pid_t pid = fork();
    if (pid == 0)
        swap(uid);
    for (int i = 0; i < atoi(argv[3]); i++) {
        struct mount_source source = {.path = path, .fd = -1};
        struct berth_err err = {0};
        size_t which;

        if (mount_source_open(&user, 10, &source, 1, &err) < 0) {
            fprintf(stderr, "race: %s\n", err.text);
            return 1;
        }
        if (source.error == 0 &&
            mount_source_judge(self, &source, 1, never, &which, &err) == 0 &&
            strncmp(source.real, argv[1], strlen(argv[1])) == 0 &&
            source.real[strlen(argv[1])] == '/') {
            accepted++;
            int tree = mount_clone(source.fd, true, &err);
            if (tree < 0 || fstat(tree, &have) < 0 ||
                have.st_dev != want.st_dev || have.st_ino != want.st_ino) {
                fprintf(stderr, "race: another directory was accepted\n");
                return 1;
            }
            close(tree);
        } else {
            refused++;
        }
        mount_source_close(&source, 1);
    }
    int status, ended = waitpid(pid, &status, WNOHANG);
    kill(pid, SIGKILL);
    printf("accepted %d refused %d\n", accepted, refused);
    return ended != 0;
}
