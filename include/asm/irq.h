/* The 16 interrupt lines of a PC. */
#ifndef _ASM_IRQ_H
#define _ASM_IRQ_H

#define NR_IRQS 16

extern void disable_irq(unsigned int irq);
extern void disable_irq_nosync(unsigned int irq);
extern void enable_irq(unsigned int irq);

#endif
