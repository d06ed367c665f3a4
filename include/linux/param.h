/* How many ticks there are in a second. */
#ifndef _LINUX_PARAM_H
#define _LINUX_PARAM_H

#define HZ 100

#endif
