/* What all parts of disksoak use. */
#include "soak.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct shared *shared;
const char *name;
uint64_t seed;
int worker;

uint32_t below(uint32_t end)
{
    seed = seed * 6364136223846793005ull + 1442695040888963407ull;
    return (uint32_t)(seed >> 33) % end;
}

void fail(const char *what, uint32_t sector)
{
    printf("disksoak: worker %d, sector %u, phase %u: %s (%s)\n", worker, sector, phase, what, strerror(errno));
    _exit(1);
}
