/* What the checks of signals share: handlers that count and note, ways to set them, a child, a pause. */
#ifndef HANDLERS_H
#define HANDLERS_H

#include <signal.h>
#include <sys/types.h>
#include <unistd.h>

#include "check.h"

extern volatile sig_atomic_t calls_of_handler;
extern volatile int last_signal;
/* Volatile, because the compiler knows that kill and raise call nothing here. */
extern volatile siginfo_t last_info;

/* Handlers: the first counts, the second keeps what is told as well. */
void count(int signal);
void note(int signal, siginfo_t *info, void *context);

void handle(int signal, void (*handler)(int), int flags);
void handle_info(int signal, void (*handler)(int, siginfo_t *, void *), int flags);

/* Sleeps so long, whatever comes in between. */
void nap(long milliseconds);

/* A child that does this and exits with 0. */
#define CHILD(...)                                                                                                    \
    ({                                                                                                                \
        pid_t child = fork();                                                                                         \
        if (child == 0) {                                                                                             \
            __VA_ARGS__;                                                                                              \
            _exit(0);                                                                                                 \
        }                                                                                                             \
        EXPECT(child > 0);                                                                                            \
        child;                                                                                                        \
    })

#endif
