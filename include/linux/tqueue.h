/*
 * Task queues: calls that are put off, mostly by interrupt handlers.
 *
 * Each task is called once, in the order in which they were queued, and may be queued again. Those of tq_immediate and
 * tq_timer run in interrupt context, those of schedule_task in a thread, where they may sleep.
 */
#ifndef _LINUX_TQUEUE_H
#define _LINUX_TQUEUE_H

struct tq_struct {
	volatile unsigned long sync;		/* it is queued */
	void (*routine)(void *data);
	void *data;
};

/* A queue of a driver's own, which run_task_queue runs. All zero is an empty one. */
typedef struct { unsigned long __queue; } task_queue;
#define DECLARE_TASK_QUEUE(name) task_queue name = { 0 }
#define INIT_TQUEUE(task, function, argument) \
	do { (task)->sync = 0; (task)->routine = (function); (task)->data = (argument); } while (0)

extern task_queue tq_timer;		/* at the next tick */
extern task_queue tq_immediate;		/* when the interrupt ends that marks it: mark_bh(IMMEDIATE_BH) */
extern task_queue tq_scheduler;		/* in a thread, soon: as schedule_task */

/* 1, or 0 when it is queued already. Any context. */
extern int queue_task(struct tq_struct *task, task_queue *queue);
extern int schedule_task(struct tq_struct *task);
/* Calls all that are in a driver's own queue now. */
extern void run_task_queue(task_queue *queue);
/* Sleeps until all that schedule_task has queued so far has run. */
extern void flush_scheduled_tasks(void);

#endif
