/* Numbers that threads and interrupts change at once. All zero is a number: 0. */
#ifndef _ASM_ATOMIC_H
#define _ASM_ATOMIC_H

typedef struct { volatile int counter; } atomic_t;

#define ATOMIC_INIT(value) { (value) }

#define atomic_read(v) ((v)->counter)
#define atomic_set(v, value) ((void) ((v)->counter = (value)))

static inline void atomic_add(int value, atomic_t *v)
{
	asm volatile("lock addl %1, %0" : "+m" (v->counter) : "ir" (value) : "memory");
}

static inline void atomic_sub(int value, atomic_t *v)
{
	asm volatile("lock subl %1, %0" : "+m" (v->counter) : "ir" (value) : "memory");
}

static inline void atomic_inc(atomic_t *v)
{
	asm volatile("lock incl %0" : "+m" (v->counter) : : "memory");
}

static inline void atomic_dec(atomic_t *v)
{
	asm volatile("lock decl %0" : "+m" (v->counter) : : "memory");
}

/* Whether the number is 0 now. */
static inline int atomic_dec_and_test(atomic_t *v)
{
	unsigned char zero;

	asm volatile("lock decl %0; sete %1" : "+m" (v->counter), "=qm" (zero) : : "memory");
	return zero;
}

static inline int atomic_inc_and_test(atomic_t *v)
{
	unsigned char zero;

	asm volatile("lock incl %0; sete %1" : "+m" (v->counter), "=qm" (zero) : : "memory");
	return zero;
}

#endif
