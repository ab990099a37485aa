/* Positions in an array by an address: open addressing, several positions may share an address. What is at a position the owner
 * of the array knows; the index compares nothing. Not locked. */
#ifndef GYVE_ADDR_INDEX_H
#define GYVE_ADDR_INDEX_H
#include <stddef.h>
#include <stdint.h>

struct addr_index {
	uint32_t *slots; /**< position + 2; 0: free, 1: was taken once */
	size_t cap;      /**< a power of two, or 0 */
	size_t used;     /**< slots that are not free */
};

/** Room for one more. key_of: the address at a position, to move what is there. -ENOMEM: nothing has changed. */
int addr_index_reserve(struct addr_index *x, size_t n, uint64_t (*key_of)(const void *ctx, size_t pos), const void *ctx);
/** There must be room. */
void addr_index_add(struct addr_index *x, uint64_t key, size_t pos);
void addr_index_remove(struct addr_index *x, uint64_t key, size_t pos);
/** What was at `from` is at `to`. */
void addr_index_move(struct addr_index *x, uint64_t key, size_t from, size_t to);
/** Positions that may have this key, one by one: *at begins as SIZE_MAX. SIZE_MAX: no more. */
size_t addr_index_next(const struct addr_index *x, uint64_t key, size_t *at);
void addr_index_clear(struct addr_index *x);
void addr_index_free(struct addr_index *x);
#endif
