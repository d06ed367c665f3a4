/* Checks of signals: handlers and their frames, masks, waiting, stopping, faults. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include "check.h"

static volatile sig_atomic_t calls_of_handler;
static volatile int last_signal;
/* Volatile, because the compiler knows that kill and raise call nothing here. */
static volatile siginfo_t last_info;

static void count(int signal)
{
    calls_of_handler++;
    last_signal = signal;
}

static void note(int signal, siginfo_t *info, void *context)
{
    (void)context;
    last_info = *info;
    count(signal);
}

static void handle(int signal, void (*handler)(int), int flags)
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = flags};

    EXPECT(sigaction(signal, &action, NULL) == 0);
}

static void handle_info(int signal, void (*handler)(int, siginfo_t *, void *), int flags)
{
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = flags | SA_SIGINFO};

    EXPECT(sigaction(signal, &action, NULL) == 0);
}

static void nap(long milliseconds)
{
    struct timespec time = {milliseconds / 1000, milliseconds % 1000 * 1000000};

    while (nanosleep(&time, &time) < 0)
        ;
}

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

CHECK(signal_handler_runs_before_kill_returns)
{
    handle(SIGUSR1, count, 0);
    EXPECT(kill(getpid(), SIGUSR1) == 0);
    EXPECT(calls_of_handler == 1 && last_signal == SIGUSR1);
}

CHECK(signal_information_says_who_sent_it)
{
    handle_info(SIGUSR1, note, 0);
    EXPECT(kill(getpid(), SIGUSR1) == 0);
    EXPECT(last_info.si_signo == SIGUSR1 && last_info.si_code == SI_USER);
    EXPECT(last_info.si_pid == getpid() && last_info.si_uid == getuid());
    EXPECT(raise(SIGUSR1) == 0);
    EXPECT(last_info.si_code == SI_TKILL);
}

CHECK(signal_action_reads_back_and_refuses)
{
    struct sigaction old, set = {.sa_handler = count, .sa_flags = SA_RESTART};

    sigemptyset(&set.sa_mask);
    sigaddset(&set.sa_mask, SIGUSR2);
    EXPECT(sigaction(SIGUSR1, &set, NULL) == 0);
    EXPECT(sigaction(SIGUSR1, NULL, &old) == 0);
    EXPECT(old.sa_handler == count && (old.sa_flags & SA_RESTART) && sigismember(&old.sa_mask, SIGUSR2) == 1);
    EXPECT_ERROR(sigaction(SIGKILL, &set, NULL), EINVAL);
    EXPECT_ERROR(sigaction(SIGSTOP, &set, NULL), EINVAL);
    EXPECT(sigaction(SIGKILL, NULL, &old) == 0 && old.sa_handler == SIG_DFL);
    EXPECT_ERROR(syscall(SYS_rt_sigaction, 0, NULL, NULL, 8), EINVAL);
    EXPECT_ERROR(syscall(SYS_rt_sigaction, 65, NULL, NULL, 8), EINVAL);
    EXPECT_ERROR(syscall(SYS_rt_sigaction, SIGUSR1, NULL, NULL, 16), EINVAL);
    EXPECT_ERROR(syscall(SYS_rt_sigaction, SIGUSR1, (void *)8, NULL, 8), EFAULT);
}

CHECK(signal_that_is_blocked_waits)
{
    sigset_t set, pending;

    handle(SIGUSR1, count, 0);
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    EXPECT(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
    EXPECT(kill(getpid(), SIGUSR1) == 0 && kill(getpid(), SIGUSR1) == 0);
    EXPECT(calls_of_handler == 0);
    EXPECT(sigpending(&pending) == 0 && sigismember(&pending, SIGUSR1) == 1);
    EXPECT(sigprocmask(SIG_UNBLOCK, &set, NULL) == 0);
    EXPECT(calls_of_handler == 1);
    EXPECT_ERROR(sigprocmask(77, &set, NULL), EINVAL);
}

CHECK(signal_mask_never_has_kill_and_stop)
{
    sigset_t set, now;

    sigfillset(&set);
    EXPECT(sigprocmask(SIG_SETMASK, &set, NULL) == 0);
    EXPECT(sigprocmask(SIG_SETMASK, NULL, &now) == 0);
    EXPECT(sigismember(&now, SIGKILL) == 0 && sigismember(&now, SIGSTOP) == 0 && sigismember(&now, SIGTERM) == 1);
}

static void look_at_mask(int signal)
{
    sigset_t now;

    EXPECT(sigprocmask(SIG_SETMASK, NULL, &now) == 0);
    EXPECT(sigismember(&now, signal) == 1 && sigismember(&now, SIGUSR2) == 1);
    count(signal);
}

CHECK(signal_handler_blocks_itself_and_its_mask)
{
    struct sigaction action = {.sa_handler = look_at_mask};
    sigset_t now;

    sigaddset(&action.sa_mask, SIGUSR2);
    EXPECT(sigaction(SIGUSR1, &action, NULL) == 0);
    EXPECT(raise(SIGUSR1) == 0 && calls_of_handler == 1);
    EXPECT(sigprocmask(SIG_SETMASK, NULL, &now) == 0);
    EXPECT(sigismember(&now, SIGUSR1) == 0 && sigismember(&now, SIGUSR2) == 0);
}

static void raise_again(int signal)
{
    if (++calls_of_handler < 3)
        raise(signal);
}

CHECK(signal_nodefer_lets_it_come_within_its_handler)
{
    handle(SIGUSR1, raise_again, SA_NODEFER);
    EXPECT(raise(SIGUSR1) == 0 && calls_of_handler == 3);
}

CHECK(signal_resethand_handles_once)
{
    struct sigaction now;

    handle(SIGUSR1, count, SA_RESETHAND);
    EXPECT(raise(SIGUSR1) == 0 && calls_of_handler == 1);
    EXPECT(sigaction(SIGUSR1, NULL, &now) == 0 && now.sa_handler == SIG_DFL);
}

/* Registers of all kinds, floating-point ones too, are what they were. */
static void spoil(int signal)
{
    __asm__ volatile("pxor %%xmm0, %%xmm0\n\tpcmpeqb %%xmm7, %%xmm7\n\tfninit\n\tfldpi" ::: "xmm0", "xmm7");
    __asm__ volatile("xor %%r8d, %%r8d\n\txor %%r15d, %%r15d\n\txor %%ebx, %%ebx\n\tstd\n\tcld" ::: "r8", "r15", "rbx");
    count(signal);
}

CHECK(signal_handler_gives_all_registers_back)
{
    uint64_t r8, r15, rbx, flags, low = 0x1122334455667788, xmm0 = 0, xmm7 = 0;
    long pid = getpid(), result;

    handle(SIGUSR1, spoil, 0);
    __asm__ volatile("movq %[low], %%xmm0\n\tmovq %[low], %%xmm7\n\t"
                     "mov $8, %%r8\n\tmov $15, %%r15\n\tmov $3, %%rbx\n\tstc\n\tsyscall\n\t"
                     "pushfq\n\tpop %[flags]\n\tmov %%r8, %[r8]\n\tmov %%r15, %[r15]\n\tmov %%rbx, %[rbx]\n\t"
                     "movq %%xmm0, %[xmm0]\n\tmovq %%xmm7, %[xmm7]"
                     : "=a"(result), [r8] "=m"(r8), [r15] "=m"(r15), [rbx] "=m"(rbx), [flags] "=&r"(flags),
                       [xmm0] "=m"(xmm0), [xmm7] "=m"(xmm7)
                     : "a"((long)SYS_kill), "D"(pid), "S"((long)SIGUSR1), [low] "m"(low)
                     : "rcx", "r11", "r8", "r15", "rbx", "xmm0", "xmm7", "memory", "cc");
    EXPECT(calls_of_handler == 1 && result == 0);
    EXPECT(r8 == 8 && r15 == 15 && rbx == 3 && (flags & 1));
    EXPECT(xmm0 == low && xmm7 == low);
}

CHECK(signal_handler_may_jump_out_for_ever)
{
    static sigjmp_buf back;
    static volatile int round;

    struct sigaction action = {.sa_handler = SIG_DFL};
    void jump(int signal) { siglongjmp(back, signal); }

    action.sa_handler = jump;
    EXPECT(sigaction(SIGUSR1, &action, NULL) == 0);
    for (round = 0; round < 1000; round++)
        if (sigsetjmp(back, 1) == 0) {
            raise(SIGUSR1);
            EXPECT(!"reached");
        }
}

static void set_registers(int signal, siginfo_t *info, void *context)
{
    ucontext_t *now = context;

    (void)info;
    now->uc_mcontext.gregs[REG_RAX] = 4711;
    sigaddset(&now->uc_sigmask, SIGUSR2);
    count(signal);
}

CHECK(signal_handler_can_change_what_comes_back)
{
    sigset_t now;

    handle_info(SIGUSR1, set_registers, 0);
    EXPECT(syscall(SYS_kill, getpid(), SIGUSR1) == 4711);
    EXPECT(sigprocmask(SIG_SETMASK, NULL, &now) == 0 && sigismember(&now, SIGUSR2) == 1);
}

static char *volatile stack_in_handler;

static void note_stack(int signal)
{
    char here;

    stack_in_handler = &here;
    count(signal);
}

CHECK(signal_alternate_stack_is_used_where_asked_for)
{
    static char memory[16384];
    stack_t stack = {.ss_sp = memory, .ss_size = sizeof(memory)}, old;

    EXPECT(sigaltstack(NULL, &old) == 0 && old.ss_flags == SS_DISABLE);
    EXPECT(sigaltstack(&stack, NULL) == 0);
    handle(SIGUSR1, note_stack, SA_ONSTACK);
    handle(SIGUSR2, note_stack, 0);
    EXPECT(raise(SIGUSR1) == 0);
    EXPECT(stack_in_handler > memory && stack_in_handler < memory + sizeof(memory));
    EXPECT(raise(SIGUSR2) == 0);
    EXPECT(stack_in_handler < memory || stack_in_handler > memory + sizeof(memory));
    stack.ss_size = 100;
    EXPECT_ERROR(sigaltstack(&stack, NULL), ENOMEM);
    stack.ss_flags = 99;
    EXPECT_ERROR(sigaltstack(&stack, NULL), EINVAL);
}

static void change_stack_from_within(int signal)
{
    stack_t none = {.ss_flags = SS_DISABLE}, now;

    EXPECT(sigaltstack(NULL, &now) == 0 && now.ss_flags == SS_ONSTACK);
    EXPECT_ERROR(sigaltstack(&none, NULL), EPERM);
    count(signal);
}

CHECK(signal_alternate_stack_stays_while_it_is_in_use)
{
    static char memory[16384];
    stack_t stack = {.ss_sp = memory, .ss_size = sizeof(memory)};

    EXPECT(sigaltstack(&stack, NULL) == 0);
    handle(SIGUSR1, change_stack_from_within, SA_ONSTACK);
    EXPECT(raise(SIGUSR1) == 0 && calls_of_handler == 1);
}

static sigjmp_buf after_fault;

static void leave_fault(int signal, siginfo_t *info, void *context)
{
    ucontext_t *now = context;

    last_info = *info;
    if (signal == SIGSEGV)
        EXPECT((uintptr_t)now->uc_mcontext.gregs[REG_CR2] == (uintptr_t)info->si_addr || info->si_code == SI_KERNEL);
    siglongjmp(after_fault, signal);
}

#define FAULTS(statement, wanted)                                                                                     \
    do {                                                                                                              \
        handle_info(wanted, leave_fault, 0);                                                                          \
        int came = sigsetjmp(after_fault, 1);                                                                         \
        if (came == 0) {                                                                                              \
            statement;                                                                                                \
            EXPECT(!"no fault");                                                                                      \
        }                                                                                                             \
        EXPECT(came == wanted);                                                                                       \
    } while (0)

CHECK(signal_faults_say_what_and_where)
{
    char *page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    volatile int zero = 0, sink = 1;

    EXPECT(page != MAP_FAILED);
    FAULTS(*(volatile char *)0x1234 = 1, SIGSEGV);
    EXPECT(last_info.si_code == SEGV_MAPERR && last_info.si_addr == (void *)0x1234);
    FAULTS(*(volatile char *)page = 1, SIGSEGV);
    EXPECT(last_info.si_code == SEGV_ACCERR && last_info.si_addr == page);
    FAULTS(((void (*)(void))page)(), SIGSEGV);
    EXPECT(last_info.si_code == SEGV_ACCERR && last_info.si_addr == page);
    FAULTS(*(volatile char *)0xdead000000000000 = 1, SIGSEGV);
    EXPECT(last_info.si_code == SI_KERNEL);
    FAULTS(*(volatile char *)0xffffffff80000000 = 1, SIGSEGV);
    FAULTS(sink /= zero, SIGFPE);
    EXPECT(last_info.si_code == FPE_INTDIV);
    FAULTS(__asm__ volatile("ud2"), SIGILL);
    EXPECT(last_info.si_code == ILL_ILLOPN);
    FAULTS(__asm__ volatile("cli"), SIGSEGV);
    FAULTS(__asm__ volatile("int3"), SIGTRAP);
    EXPECT(last_info.si_code == SI_KERNEL);
}

CHECK(signal_fault_beyond_a_file_is_a_bus_error)
{
    int fd = open("/tmp/signals-short", O_RDWR | O_CREAT | O_TRUNC, 0600);
    char *map;

    EXPECT(fd >= 0 && write(fd, "x", 1) == 1);
    map = mmap(NULL, 8192, PROT_READ, MAP_PRIVATE, fd, 0);
    EXPECT(map != MAP_FAILED && map[0] == 'x');
    FAULTS((void)*(volatile char *)(map + 4096), SIGBUS);
    EXPECT(last_info.si_code == BUS_ADRERR && last_info.si_addr == map + 4096);
    EXPECT(unlink("/tmp/signals-short") == 0);
}

CHECK(signal_fault_that_is_blocked_kills)
{
    int status;
    pid_t child = CHILD({
        sigset_t set;

        signal(SIGSEGV, count);
        sigfillset(&set);
        sigprocmask(SIG_SETMASK, &set, NULL);
        *(volatile char *)0x1234 = 1;
    });

    EXPECT(waitpid(child, &status, 0) == child && WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
}

CHECK(signal_frame_without_room_kills)
{
    int status;
    pid_t child = CHILD({
        signal(SIGUSR1, count);
        __asm__ volatile("mov $16, %%rsp\n\tsyscall" ::"a"((long)SYS_kill), "D"((long)getpid()), "S"((long)SIGUSR1)
                         : "rcx", "r11", "memory");
    });

    EXPECT(waitpid(child, &status, 0) == child && WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
}

CHECK(signal_return_without_a_frame_kills)
{
    int status;
    pid_t child = CHILD({ __asm__ volatile("mov $64, %%rsp\n\tsyscall" ::"a"((long)SYS_rt_sigreturn)
                                           : "rcx", "r11", "memory"); });

    EXPECT(waitpid(child, &status, 0) == child && WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
}

static void forge(int signal, siginfo_t *info, void *context)
{
    ucontext_t *now = context;

    (void)signal;
    (void)info;
    /* To the kernel's ring, with interrupts off and all privileges. */
    now->uc_mcontext.gregs[REG_EFL] = 0x3002;
    now->uc_mcontext.gregs[REG_RIP] = (greg_t)0xffffffff80001000;
    now->uc_mcontext.gregs[REG_CSGSFS] = 0x0010000000000008;
}

CHECK(signal_forged_frame_kills)
{
    int status;
    pid_t child = CHILD({
        struct sigaction action = {.sa_sigaction = forge, .sa_flags = SA_SIGINFO};

        sigaction(SIGUSR1, &action, NULL);
        raise(SIGUSR1);
    });

    EXPECT(waitpid(child, &status, 0) == child && WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
}

CHECK(signal_defaults_end_or_do_nothing)
{
    static const int deadly[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGALRM, SIGPIPE, SIGKILL, 34};
    static const int harmless[] = {SIGCHLD, SIGCONT, SIGURG, SIGWINCH};
    int status;

    for (unsigned i = 0; i < sizeof(deadly) / sizeof(*deadly); i++) {
        pid_t child = CHILD({ kill(getpid(), deadly[i]); });

        EXPECT(waitpid(child, &status, 0) == child && WIFSIGNALED(status) && WTERMSIG(status) == deadly[i]);
    }
    for (unsigned i = 0; i < sizeof(harmless) / sizeof(*harmless); i++)
        EXPECT(kill(getpid(), harmless[i]) == 0);
}

CHECK(signal_kill_finds_whom_it_means)
{
    int status;
    pid_t child;

    EXPECT(kill(getpid(), 0) == 0);
    EXPECT_ERROR(kill(0x3fffffff, 0), ESRCH);
    EXPECT_ERROR(kill(getpid(), 65), EINVAL);
    EXPECT_ERROR(kill(getpid(), -1), EINVAL);
    EXPECT_ERROR(syscall(SYS_tgkill, getpid(), -1, SIGUSR1), EINVAL);
    EXPECT_ERROR(syscall(SYS_tgkill, 1, getpid(), SIGUSR1), ESRCH);
    child = CHILD({
        setpgid(0, 0);
        pause();
    });
    setpgid(child, child);
    EXPECT(kill(-child, SIGTERM) == 0);
    EXPECT(waitpid(child, &status, 0) == child && WTERMSIG(status) == SIGTERM);
    EXPECT_ERROR(kill(-child, 0), ESRCH);
}

CHECK(signal_interrupts_a_read_unless_told_to_restart)
{
    int ends[2];
    char byte;
    pid_t child;

    EXPECT(pipe(ends) == 0);
    handle(SIGALRM, count, 0);
    ualarm(50000, 0);
    EXPECT_ERROR(read(ends[0], &byte, 1), EINTR);
    handle(SIGALRM, count, SA_RESTART);
    child = CHILD({
        nap(150);
        write(ends[1], "x", 1);
    });
    ualarm(50000, 0);
    EXPECT(read(ends[0], &byte, 1) == 1 && byte == 'x');
    EXPECT(calls_of_handler == 2);
    EXPECT(waitpid(child, NULL, 0) == child);
}

CHECK(signal_that_is_ignored_interrupts_nothing)
{
    struct timespec time = {0, 200000000}, rest = {7, 7};
    pid_t self = getpid(), child;

    handle(SIGCHLD, SIG_DFL, 0);
    child = CHILD({
        nap(50);
        kill(self, SIGWINCH);
    });
    EXPECT(nanosleep(&time, &rest) == 0);
    EXPECT(waitpid(child, NULL, 0) == child);
}

CHECK(signal_interrupts_a_sleep_and_tells_the_rest)
{
    struct timespec time = {5, 0}, rest = {0, 0};

    handle(SIGALRM, count, SA_RESTART);
    ualarm(50000, 0);
    EXPECT_ERROR(nanosleep(&time, &rest), EINTR);
    EXPECT(rest.tv_sec == 4 && rest.tv_nsec > 500000000);
}

CHECK(signal_suspend_waits_with_another_mask)
{
    sigset_t all, none, now;

    handle(SIGALRM, count, SA_RESTART);
    sigfillset(&all);
    sigemptyset(&none);
    EXPECT(sigprocmask(SIG_SETMASK, &all, NULL) == 0);
    EXPECT(kill(getpid(), SIGALRM) == 0 && calls_of_handler == 0);
    EXPECT_ERROR(sigsuspend(&none), EINTR);
    EXPECT(calls_of_handler == 1);
    EXPECT(sigprocmask(SIG_SETMASK, NULL, &now) == 0 && sigismember(&now, SIGALRM) == 1);
}

CHECK(signal_pause_ends_after_a_handler)
{
    handle(SIGALRM, count, SA_RESTART);
    ualarm(50000, 0);
    EXPECT_ERROR(pause(), EINTR);
    EXPECT(calls_of_handler == 1);
}

CHECK(signal_wait_takes_without_a_handler)
{
    sigset_t set;
    siginfo_t info;
    struct timespec time = {0, 50000000}, none = {0, 0};

    handle(SIGUSR1, count, 0);
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    EXPECT(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
    EXPECT_ERROR(sigtimedwait(&set, &info, &none), EAGAIN);
    EXPECT_ERROR(sigtimedwait(&set, &info, &time), EAGAIN);
    EXPECT(kill(getpid(), SIGUSR1) == 0);
    EXPECT(sigwaitinfo(&set, &info) == SIGUSR1 && info.si_pid == getpid());
    handle(SIGALRM, count, 0);
    sigaddset(&set, SIGALRM);
    EXPECT(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
    ualarm(50000, 0);
    EXPECT(sigwaitinfo(&set, &info) == SIGALRM && calls_of_handler == 0);
}

CHECK(signal_queue_keeps_order_and_values)
{
    sigset_t set;
    siginfo_t info;

    sigemptyset(&set);
    sigaddset(&set, SIGRTMIN);
    EXPECT(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
    for (int i = 0; i < 5; i++)
        EXPECT(sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = i}) == 0);
    for (int i = 0; i < 5; i++)
        EXPECT(sigwaitinfo(&set, &info) == SIGRTMIN && info.si_value.sival_int == i && info.si_code == SI_QUEUE);
}

CHECK(signal_alarm_says_what_was_left)
{
    struct itimerval timer = {{0, 30000}, {0, 30000}}, old;

    EXPECT(alarm(100) == 0);
    EXPECT(alarm(0) == 100 && alarm(0) == 0);
    handle(SIGALRM, count, SA_RESTART);
    EXPECT(setitimer(ITIMER_REAL, &timer, NULL) == 0);
    while (calls_of_handler < 3)
        pause();
    EXPECT(getitimer(ITIMER_REAL, &old) == 0 && old.it_interval.tv_usec == 30000);
    memset(&timer, 0, sizeof(timer));
    EXPECT(setitimer(ITIMER_REAL, &timer, NULL) == 0);
    EXPECT_ERROR(setitimer(99, &timer, NULL), EINVAL);
}

CHECK(signal_child_tells_its_parent)
{
    sigset_t set;
    siginfo_t info;
    pid_t child;

    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    EXPECT(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
    child = CHILD({ _exit(7); });
    EXPECT(sigwaitinfo(&set, &info) == SIGCHLD && info.si_code == CLD_EXITED);
    EXPECT(info.si_pid == child && info.si_status == 7);
    EXPECT(waitpid(child, NULL, 0) == child);
    child = CHILD({ kill(getpid(), SIGTERM); });
    EXPECT(sigwaitinfo(&set, &info) == SIGCHLD && info.si_code == CLD_KILLED && info.si_status == SIGTERM);
    EXPECT(waitpid(child, NULL, 0) == child);
}

CHECK(signal_children_of_who_ignores_them_leave_no_zombies)
{
    pid_t child;

    handle(SIGCHLD, SIG_IGN, 0);
    child = CHILD({});
    EXPECT_ERROR(waitpid(child, NULL, 0), ECHILD);
    handle(SIGCHLD, SIG_DFL, SA_NOCLDWAIT);
    child = CHILD({});
    EXPECT_ERROR(waitpid(child, NULL, 0), ECHILD);
}

CHECK(signal_stops_and_continues)
{
    sigset_t set;
    siginfo_t info;
    int status;
    pid_t child;

    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    EXPECT(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
    child = CHILD({
        while (1)
            pause();
    });
    EXPECT(kill(child, SIGSTOP) == 0);
    EXPECT(waitpid(child, &status, WUNTRACED) == child && WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
    EXPECT(sigwaitinfo(&set, &info) == SIGCHLD && info.si_code == CLD_STOPPED && info.si_status == SIGSTOP);
    EXPECT(waitpid(child, &status, WUNTRACED | WNOHANG) == 0);
    /* A stopped process takes no signal but those that let it go on. */
    EXPECT(kill(child, SIGTERM) == 0);
    nap(50);
    EXPECT(waitpid(child, &status, WNOHANG) == 0);
    EXPECT(kill(child, SIGCONT) == 0);
    EXPECT(waitpid(child, &status, 0) == child && WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
}

CHECK(signal_continue_is_news_to_a_parent)
{
    int status;
    pid_t child = CHILD({
        while (1)
            pause();
    });

    EXPECT(kill(child, SIGSTOP) == 0);
    EXPECT(waitpid(child, &status, WUNTRACED) == child && WIFSTOPPED(status));
    EXPECT(kill(child, SIGCONT) == 0);
    EXPECT(waitpid(child, &status, WCONTINUED) == child && WIFCONTINUED(status));
    EXPECT(kill(child, SIGSTOP) == 0);
    EXPECT(waitpid(child, &status, WUNTRACED) == child && WIFSTOPPED(status));
    EXPECT(kill(child, SIGKILL) == 0);
    EXPECT(waitpid(child, &status, 0) == child && WTERMSIG(status) == SIGKILL);
}

CHECK(signal_sleep_goes_on_after_a_stop)
{
    int status;
    struct timespec before, after;
    pid_t child = CHILD({
        struct timespec time = {0, 300000000};

        clock_gettime(CLOCK_MONOTONIC, &before);
        if (nanosleep(&time, NULL) < 0)
            _exit(1);
        clock_gettime(CLOCK_MONOTONIC, &after);
        _exit(after.tv_sec - before.tv_sec > 1 ? 2 : 0);
    });

    nap(50);
    EXPECT(kill(child, SIGSTOP) == 0);
    EXPECT(waitpid(child, &status, WUNTRACED) == child && WIFSTOPPED(status));
    EXPECT(kill(child, SIGCONT) == 0);
    EXPECT(waitpid(child, &status, 0) == child && status == 0);
}

CHECK(signal_ignored_ones_and_the_mask_go_through_exec_and_handlers_do_not)
{
    int status;
    sigset_t set;
    pid_t child;

    if (access("/bin/sh", X_OK) < 0)
        return;
    handle(SIGTERM, SIG_IGN, 0);
    child = CHILD({ execl("/bin/sh", "sh", "-c", "kill -TERM $$; exit 5", NULL); });
    EXPECT(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 5);
    handle(SIGTERM, count, 0);
    child = CHILD({ execl("/bin/sh", "sh", "-c", "kill -TERM $$; exit 5", NULL); });
    EXPECT(waitpid(child, &status, 0) == child && WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
    sigemptyset(&set);
    sigaddset(&set, SIGHUP);
    EXPECT(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
    child = CHILD({ execl("/bin/sh", "sh", "-c", "kill -HUP $$; exit 6", NULL); });
    EXPECT(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 6);
}

CHECK(signal_pipe_without_reader_tells_the_writer)
{
    int ends[2];

    EXPECT(pipe(ends) == 0 && close(ends[0]) == 0);
    handle(SIGPIPE, count, 0);
    EXPECT_ERROR(write(ends[1], "x", 1), EPIPE);
    EXPECT(calls_of_handler == 1);
}

CHECK(signal_storm_loses_no_state)
{
    pid_t self = getpid(), child;
    volatile uint64_t sum = 0;

    handle(SIGUSR1, count, SA_RESTART);
    child = CHILD({
        for (int i = 0; i < 2000; i++)
            kill(self, SIGUSR1);
    });
    for (uint64_t i = 1; i <= 200000; i++)
        sum += i;
    while (waitpid(child, NULL, 0) < 0)
        EXPECT(errno == EINTR);
    EXPECT(sum == 200000ull * 200001 / 2 && calls_of_handler > 0);
}
