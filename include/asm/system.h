/* Interrupts off and on, and the order of memory accesses. */
#ifndef _ASM_SYSTEM_H
#define _ASM_SYSTEM_H

#define barrier() asm volatile("" : : : "memory")
#define mb() asm volatile("mfence" : : : "memory")
#define rmb() asm volatile("lfence" : : : "memory")
#define wmb() asm volatile("sfence" : : : "memory")
#define set_mb(variable, value) do { (variable) = (value); mb(); } while (0)
#define set_wmb(variable, value) do { (variable) = (value); wmb(); } while (0)

/* With interrupts off nothing may sleep, as with a spinlock held; the kernel counts both. Each comes with its end. */
extern unsigned long __irq_save(void);
extern void __irq_restore(unsigned long flags);
extern void cli(void);
extern void sti(void);

#define save_flags(flags) ((flags) = __irq_flags())
#define restore_flags(flags) __irq_restore(flags)
#define save_and_cli(flags) ((flags) = __irq_save())
#define local_irq_save(flags) ((flags) = __irq_save())
#define local_irq_restore(flags) __irq_restore(flags)
#define local_irq_disable() cli()
#define local_irq_enable() sti()

/* The flags as they are now. */
extern unsigned long __irq_flags(void);

#define xchg(pointer, value) \
	((__typeof__(*(pointer))) __sync_lock_test_and_set((pointer), (value)))

#endif
