/* Libraries that few runs need are opened when they are first used: to link them dynamically takes longer than a small guest
 * runs.
 *
 *	#define FUNCTIONS(F) F(archive_read_new) F(archive_read_free)
 *	#ifdef ARCHIVE_SONAME
 *	LATE_LIBRARY(la, ARCHIVE_SONAME, FUNCTIONS)
 *	#else
 *	LINKED_LIBRARY(la, FUNCTIONS)
 *	#endif
 *
 * makes la.archive_read_new and so on, of the types that the library's header declares, and late_la(err): 0 or -ENOTSUP with a
 * sentence. It is to be called, each time, before the first use; by one thread, and before that thread is isolated.
 * configure defines ARCHIVE_SONAME, the file's name, unless there is only an archive to link. */
#ifndef GYVE_LATE_H
#define GYVE_LATE_H
#include "gyve/error.h"

#include <stddef.h>

/** Open soname, unless *handle is open, and find n functions of these names in it; at[n] holds pointers to them then. */
int gyve_late_open(void **handle, const char *soname, const char *const *names, size_t n, void **at, struct gyve_err *err);

#define LATE_MEMBER(name) typeof(&(name)) name;
#define LATE_ROW(name) #name,
#define LATE_LIBRARY(id, soname, functions)                                                                              \
	static union {                                                                                                   \
		struct {                                                                                                 \
			functions(LATE_MEMBER)                                                                           \
		};                                                                                                       \
		void *at[1];                                                                                             \
	} id;                                                                                                            \
	static void *id##_handle;                                                                                        \
	static int late_##id(struct gyve_err *err)                                                                       \
	{                                                                                                                \
		static const char *const names[] = {functions(LATE_ROW)};                                                \
		_Static_assert(sizeof(id) == sizeof(names), "a pointer for each name");                                  \
		return gyve_late_open(&id##_handle, soname, names, sizeof(names) / sizeof(names[0]), (void **)&id, err); \
	}

#define LINKED_ROW(name) .name = (name),
#define LINKED_LIBRARY(id, functions)                     \
	static const struct {                             \
		functions(LATE_MEMBER)                    \
	} id = {functions(LINKED_ROW)};                   \
	static inline int late_##id(struct gyve_err *err) \
	{                                                 \
		(void)err;                                \
		return 0;                                 \
	}
#endif
