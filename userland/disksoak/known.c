/* What a sector may hold, as its worker knows. */
#include "soak.h"

#include <stdio.h>

struct sector part[PART];
uint32_t phase;

static uint64_t word(uint32_t sector, uint32_t written, uint32_t index)
{
    return ((uint64_t)written << 32 | (uint64_t)worker << 24 | sector) * 0x9e3779b97f4a7c15ull + index;
}

void fill_sectors(uint64_t *words, uint32_t first, uint32_t count, uint32_t written)
{
    for (uint32_t sector = 0; sector < count; sector++)
        for (uint32_t index = 0; index < WORDS; index++)
            words[sector * WORDS + index] = word(first + sector, written, index);
}

int may_fail(void)
{
    return (phase & 1) || phase != shared->phase;
}

/* What was written before the phase changed may have failed, or will. */
void look_at_phase(void)
{
    if (phase == shared->phase)
        return;
    phase = shared->phase;
    for (uint32_t sector = 0; sector < PART; sector++)
        part[sector].is_certain &= part[sector].count == 1;
}

int has_room(uint32_t first, uint32_t count, int reserve)
{
    for (uint32_t sector = first; sector < first + count; sector++)
        if (part[sector].count >= HISTORY - reserve)
            return 0;
    return 1;
}

void note_write(uint32_t sector, uint32_t written)
{
    struct sector *it = &part[sector];

    it->known[it->count++] = written;
    it->is_dirty = 1;
    it->is_certain = (it->is_certain || it->count == 1) && !may_fail();
}

void note_synced(void)
{
    for (uint32_t sector = 0; sector < PART; sector++) {
        struct sector *it = &part[sector];

        if (!it->is_dirty)
            continue;
        it->known[0] = it->known[it->count - 1];
        it->count = 1;
        it->is_dirty = 0;
        it->is_certain = 1;
    }
}

void note_error(void)
{
    for (uint32_t sector = 0; sector < PART; sector++) {
        part[sector].is_dirty = 0;
        part[sector].is_certain &= part[sector].count == 1;
    }
}

/* What a sector holds instead. */
static void tell(uint32_t sector, uint64_t first)
{
    uint32_t written = UINT32_MAX;

    while (written > 0 && first != word(sector, written, 0))
        written = written == UINT32_MAX ? 1 << 24 : written - 1;
    printf("disksoak: sector %u holds %llx, of write %u; it may hold those of", sector, (unsigned long long)first,
           written);
    for (int index = 0; index < part[sector].count; index++)
        printf(" %u", part[sector].known[index]);
    printf("%s\n", part[sector].is_dirty ? ", not synced" : "");
}

static void check_sector(uint32_t sector, const uint64_t *words)
{
    struct sector *it = &part[sector];
    int found = it->count - 1;

    while (found >= 0 && words[0] != word(sector, it->known[found], 0))
        found--;
    if (found < 0) {
        tell(sector, words[0]);
        fail("it holds what it cannot", sector);
    }
    if (it->is_certain && found != it->count - 1 && !may_fail())
        fail("it holds what was there before, though nothing has failed", sector);
    for (uint32_t index = 1; index < WORDS; index++)
        if (words[index] != word(sector, it->known[found], index))
            fail("it is torn", sector);
}

void check_sectors(const uint64_t *words, uint32_t first, uint32_t count)
{
    for (uint32_t sector = 0; sector < count; sector++)
        check_sector(first + sector, words + sector * WORDS);
}
