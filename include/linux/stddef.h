/* The pointer to nothing, and where a member lies. */
#ifndef _LINUX_STDDEF_H
#define _LINUX_STDDEF_H

#ifndef NULL
#define NULL ((void *) 0)
#endif

#define offsetof(type, member) __builtin_offsetof(type, member)

#endif
