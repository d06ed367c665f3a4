/* Checks of what lies on a stack while a handler runs, and of faults. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#include "handlers.h"

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
