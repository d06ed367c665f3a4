/* Short delays, in which the processor does nothing else. Any context; for more than a few milliseconds sleep. */
#ifndef _LINUX_DELAY_H
#define _LINUX_DELAY_H

extern void udelay(unsigned long microseconds);
#define mdelay(milliseconds) udelay((milliseconds) * 1000UL)

#endif
