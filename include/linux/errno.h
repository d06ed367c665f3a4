/* Why a call failed: returned with a minus. */
#ifndef _LINUX_ERRNO_H
#define _LINUX_ERRNO_H

#include <asm/errno.h>

/* A signal came before anything was done: the call is made again, or ends with EINTR. No program sees these four. */
#define ERESTARTSYS 512
#define ERESTARTNOINTR 513
#define ERESTARTNOHAND 514
#define ENOIOCTLCMD 515

#endif
