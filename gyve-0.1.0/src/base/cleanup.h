/* Locals that clean up after themselves: `_cleanup_free_ char *p = ...;` and return_ptr(p) to hand one out. */
#ifndef GYVE_CLEANUP_H
#define GYVE_CLEANUP_H
#include <stdlib.h>
#include <unistd.h>

static inline void cleanup_freep(void *p)
{
	free(*(void **)p);
}
static inline void cleanup_closep(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}
#define _cleanup_free_ __attribute__((cleanup(cleanup_freep)))
#define _cleanup_close_ __attribute__((cleanup(cleanup_closep)))
#define no_cleanup_ptr(p)             \
	({                            \
		__auto_type _p = (p); \
		(p) = NULL;           \
		_p;                   \
	})
#define return_ptr(p) return no_cleanup_ptr(p)
#endif
