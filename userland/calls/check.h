/*
 * Checks of system calls that judge themselves: `calls` runs all, `calls NAME...` those whose names begin so.
 *
 * A check is written once, in the file of its family:
 *
 *     CHECK(getpid_is_the_same_twice)
 *     {
 *         EXPECT(getpid() == getpid());
 *     }
 *
 * It runs in a process of its own, so it may die, and leaves nothing behind but files, which it removes.
 */
#ifndef CHECK_H
#define CHECK_H

#include <errno.h>

struct check {
    const char *name;
    void (*run)(void);
    struct check *next;
};

/* Enters a check into the list; called before main. */
void add_check(struct check *check);

/* Ends the running check as failed: what was expected, where, and the error number then. */
void fail(const char *expected, const char *file, int line, int error) __attribute__((noreturn));

#define CHECK(function)                                                                                               \
    static void function(void);                                                                                       \
    __attribute__((constructor)) static void add_##function(void)                                                     \
    {                                                                                                                 \
        static struct check check = {#function, function, 0};                                                         \
        add_check(&check);                                                                                            \
    }                                                                                                                 \
    static void function(void)

/* The condition holds, or the check has failed. */
#define EXPECT(condition)                                                                                             \
    do {                                                                                                              \
        errno = 0;                                                                                                    \
        if (!(condition))                                                                                             \
            fail(#condition, __FILE__, __LINE__, errno);                                                              \
    } while (0)

/* The call returns -1 with this error number, or the check has failed. */
#define EXPECT_ERROR(call, number) EXPECT((call) == -1 && errno == (number))

#endif
