/* BTF: the types a Linux kernel carries with it (Documentation/bpf/btf.rst). Hostile input: never crashes. */
#ifndef GYVE_BTF_H
#define GYVE_BTF_H
#include "gyve/error.h"
#include "gyve/types.h"
struct gyve_btf;
enum { GYVE_BTF_MAX = 64 << 20 }; /**< bytes; a kernel has about 4 MiB */
/** From size bytes, which are copied. -EINVAL with a sentence, -ENOMEM. */
int gyve_btf_create(struct gyve_btf **ret, const void *data, size_t size, struct gyve_err *err);
/** NULL ok. */
void gyve_btf_destroy(struct gyve_btf *b);
/** Bytes of a struct or union, or of what a typedef of that name stands for. -ENOENT. */
int gyve_btf_size(const struct gyve_btf *b, const char *name, uint64_t *ret);
/** A member of a struct or union. */
struct gyve_member {
	uint64_t offset; /**< bytes from the beginning of the outermost struct */
	uint64_t size;   /**< bytes, of all elements of an array; a bit field's: of those it is in */
};
/** path: "comm", or through struct members "thread.sp"; members of unnamed structs and unions are found as C finds them.
 * -ENOENT: no such struct, or no such member in it. */
int gyve_btf_member(const struct gyve_btf *b, const char *type, const char *path, struct gyve_member *ret);
#endif
