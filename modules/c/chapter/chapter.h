/*
 * chapter.h: the parts of the chapter, each in a file of its own. All return 0, or an error after which nothing is left.
 */
#ifndef CHAPTER_H
#define CHAPTER_H

int flags_argument(void);
int size_argument(void);
int lookaside_cache(void);
int whole_pages(void);
int virtual_areas(void);
int device_memory(void);
int older_forms(void);

#endif
