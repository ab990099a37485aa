/* How register rows reach their value: a row's offset packs where the value lies in struct gyve_regs and how many bytes it has
 * there. A row may be wider or narrower than the value: reads extend with zeros or cut, writes cut or extend. */
#ifndef GYVE_ARCH_REGROW_H
#define GYVE_ARCH_REGROW_H
#include "gyve/arch.h"

#define REG_AT(member) (uint32_t)(offsetof(struct gyve_regs, member) << 8 | sizeof(((struct gyve_regs *)0)->member))
/** Element i of an array member. */
#define REG_AT_I(member, i)                                                                                       \
	(uint32_t)((offsetof(struct gyve_regs, member) + (i) * sizeof(((struct gyve_regs *)0)->member[0])) << 8 | \
		   sizeof(((struct gyve_regs *)0)->member[0]))
#define REG_OFFSET(row) ((row)->offset >> 8)
#define REG_SIZE(row) ((row)->offset & 0xff)

#define REG_FLAGS(var, id_, size_, fields_) \
	const struct gyve_reg_flags var = {.id = id_, .size = size_, .fields = fields_, .nfields = GYVE_ARRAY_SIZE(fields_)}

/** get and set of every row whose value is plain bytes. -ENODATA: the row's group holds no values. */
int gyve_reg_plain_get(const struct gyve_reg_row *row, const struct gyve_regs *r, void *buf);
int gyve_reg_plain_set(const struct gyve_reg_row *row, struct gyve_regs *r, const void *buf);
#endif
