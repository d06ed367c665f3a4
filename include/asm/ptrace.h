/* What the processor was doing when an interrupt came: all zero here, since no driver of this kernel may ask. */
#ifndef _ASM_PTRACE_H
#define _ASM_PTRACE_H

struct pt_regs {
	unsigned long rip;
	unsigned long cs;
	unsigned long eflags;
	unsigned long rsp;
	unsigned long ss;
};

#define user_mode(registers) (((registers)->cs & 3) != 0)
#define instruction_pointer(registers) ((registers)->rip)

#endif
