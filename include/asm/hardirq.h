/* Whether code runs in an interrupt. */
#ifndef _ASM_HARDIRQ_H
#define _ASM_HARDIRQ_H

/* Whether the caller is in an interrupt: a handler, a timer, a task queue. */
extern int in_interrupt(void);

#endif
