/* What the parts of disksoak share. */
#pragma once
#define _GNU_SOURCE
#include <stdint.h>

enum {
    WORKERS = 4,
    SECTOR = 512,
    WORDS = SECTOR / 8,
    PAGE_SECTORS = 8,
    /* Sectors that a worker has, and that one read or write has at most. */
    PART = 2048,
    MOST = 48,
    /* What a sector may hold at most; the last place is for when the disk works again. */
    HISTORY = 12,
    PHASE_SECONDS = 4,
    FILE_WORDS = 60000,
};

/* What a sector may hold, the oldest first; that one was on the disk when a sync last covered it. */
struct sector {
    uint32_t known[HISTORY];
    uint8_t count;
    /* Whether nothing can have failed since, so that it holds the last. */
    uint8_t is_certain;
    /* Whether it was written since an error was last told: the next sync covers it. */
    uint8_t is_dirty;
};

enum { RUN, DISK_MENDED, OVER };

struct shared {
    /* Odd: the disk goes wrong. */
    volatile uint32_t phase;
    volatile int stage;
    volatile uint64_t operations, errors, orders, rounds;
};

extern struct shared *shared;
extern const char *name;
extern uint64_t seed;

/* A worker's: its number, the phase that it knows of, what it knows of its sectors. */
extern int worker;
extern uint32_t phase;
extern struct sector part[PART];

/* shared.c */
uint32_t below(uint32_t end);
void fail(const char *what, uint32_t sector) __attribute__((noreturn));

/* known.c */
int may_fail(void);
void look_at_phase(void);
int has_room(uint32_t first, uint32_t count, int reserve);
void note_write(uint32_t sector, uint32_t written);
void note_synced(void);
void note_error(void);
void fill_sectors(uint64_t *words, uint32_t first, uint32_t count, uint32_t written);
void check_sectors(const uint64_t *words, uint32_t first, uint32_t count);

/* worker.c */
int work(void);

/* beside.c */
int change_files(void);
int fill_memory(void);
void go_wrong(int seconds);
void order(const char *line);
