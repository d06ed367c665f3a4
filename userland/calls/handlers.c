/* What the checks of signals share. */
#include <time.h>

#include "handlers.h"

volatile sig_atomic_t calls_of_handler;
volatile int last_signal;
volatile siginfo_t last_info;

void count(int signal)
{
    calls_of_handler++;
    last_signal = signal;
}

void note(int signal, siginfo_t *info, void *context)
{
    (void)context;
    last_info = *info;
    count(signal);
}

void handle(int signal, void (*handler)(int), int flags)
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = flags};

    EXPECT(sigaction(signal, &action, NULL) == 0);
}

void handle_info(int signal, void (*handler)(int, siginfo_t *, void *), int flags)
{
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = flags | SA_SIGINFO};

    EXPECT(sigaction(signal, &action, NULL) == 0);
}

void nap(long milliseconds)
{
    struct timespec time = {milliseconds / 1000, milliseconds % 1000 * 1000000};

    while (nanosleep(&time, &time) < 0)
        ;
}
