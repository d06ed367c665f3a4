/* What this kernel was configured with: no devfs, no versions in the names of symbols. */
#ifndef _LINUX_CONFIG_H
#define _LINUX_CONFIG_H

#define CONFIG_MODULES 1
#define CONFIG_PROC_FS 1

#endif
