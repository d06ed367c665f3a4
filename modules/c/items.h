/*
 * items.h: memory as a device: a list of items, each an array of quanta.
 *
 * What the scull drivers in C have in common. A driver's main file includes this, says what a quantum is by the three
 * functions below, and includes items.c, which has the rest; all that is static, so that drivers do not meet.
 */
#ifndef ITEMS_H
#define ITEMS_H

#include <linux/config.h>
#include <linux/module.h>

#include <linux/kernel.h>
#include <linux/malloc.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/errno.h>
#include <linux/types.h>
#include <linux/proc_fs.h>
#include <linux/fcntl.h>
#include <linux/sched.h>
#include <linux/ioctl.h>
#include <linux/init.h>
#include <asm/system.h>
#include <asm/uaccess.h>

/* An array of pointers to quanta, and the item behind it. */
struct item {
    void **quanta;
    struct item *next;
};

/* A device. */
struct device {
    struct item *first;
    int quantum;           /* bytes of a quantum, or its order: the driver knows */
    int qset;              /* quanta of an item */
    unsigned long size;    /* bytes that can be read */
    int mappings;          /* areas of processes that show it */
    struct semaphore lock; /* for all of the above */
};

/* Items of one device at most: an offset beyond them is refused, so that no seek makes a list without end. */
#define ITEMS_MOST 1000
/* Quanta of an item at most: their array comes from kmalloc, which has 128 KB. */
#define QSET_MOST (131072 / (int)sizeof(void *))

/* The driver's: how many bytes a quantum of the device has. */
static unsigned long quantum_bytes(const struct device *device);
/* The driver's: a new quantum full of zeroes, or NULL. May sleep. */
static void *quantum_take(const struct device *device);
/* The driver's: takes a quantum back. */
static void quantum_give(const struct device *device, void *quantum);
/* The driver's: the parameters for devices that are empty. */
static void parameters(int *quantum, int *qset);

#endif
