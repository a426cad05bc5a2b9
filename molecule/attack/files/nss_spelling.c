/* SPDX-License-Identifier: GPL-3.0-or-later
 * SPDX-FileCopyrightText: The fleetmfa.ssh authors
 *
 * Stands in for a directory service that knows an account by any spelling of its name: it answers BOB with the line of
 * bob in /etc/passwd. nsswitch.conf names it behind `files`.
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <errno.h>
#include <nss.h>
#include <pwd.h>
#include <shadow.h>
#include <stdio.h>
#include <string.h>

#define ANSWER(TYPE, NAME, FILE_NAME, READ)                                                                         \
    {                                                                                                               \
        char canonical[256];                                                                                        \
        size_t length = strlen(name);                                                                               \
        if (length >= sizeof canonical)                                                                             \
            return NSS_STATUS_NOTFOUND;                                                                             \
        for (size_t i = 0; i <= length; i++)                                                                        \
            canonical[i] = tolower((unsigned char)name[i]);                                                         \
        FILE *accounts = fopen(FILE_NAME, "re");                                                                    \
        if (!accounts) {                                                                                            \
            *error = errno;                                                                                         \
            return NSS_STATUS_UNAVAIL;                                                                              \
        }                                                                                                           \
        TYPE *found;                                                                                                \
        int failed;                                                                                                 \
        do                                                                                                          \
            failed = READ(accounts, result, buffer, size, &found);                                                  \
        while (!failed && strcmp(found->NAME, canonical));                                                          \
        fclose(accounts);                                                                                           \
        if (failed == ERANGE) {                                                                                     \
            *error = ERANGE;                                                                                        \
            return NSS_STATUS_TRYAGAIN;                                                                             \
        }                                                                                                           \
        return failed ? NSS_STATUS_NOTFOUND : NSS_STATUS_SUCCESS;                                                   \
    }

enum nss_status _nss_spelling_getpwnam_r(const char *name, struct passwd *result, char *buffer, size_t size, int *error)
ANSWER(struct passwd, pw_name, "/etc/passwd", fgetpwent_r)

enum nss_status _nss_spelling_getspnam_r(const char *name, struct spwd *result, char *buffer, size_t size, int *error)
ANSWER(struct spwd, sp_namp, "/etc/shadow", fgetspent_r)
