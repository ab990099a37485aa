/* Variables of a scope as text: scalars, pointers, enumerators, strings, and structures and arrays one level deep. */
#include "dw.h"

#include "gyve/unwind.h"

#include <dwarf.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { MAX_MEMBERS = 16, MAX_ELEMENTS = 8, MAX_STRING = 48, MAX_LOCALS = 256, VALUE_TEXT = 512 };

struct text {
	char *buf;
	size_t size, len;
};

__attribute__((format(printf, 2, 3))) static void add(struct text *x, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(x->buf + x->len, x->size - x->len, fmt, ap);
	va_end(ap);
	if (n > 0)
		x->len = x->len + (size_t)n < x->size ? x->len + (size_t)n : x->size - 1;
}

/* --- types */

static bool type_of(Dwarf_Die *die, Dwarf_Die *ret)
{
	Dwarf_Attribute attr;

	return dwarf_attr_integrate(die, DW_AT_type, &attr) && dwarf_formref_die(&attr, ret);
}

/* Names and qualifiers say nothing about the bytes. A chain that does not end is cut. */
static int peel(Dwarf_Die *type)
{
	for (int i = 0; i < DW_DEPTH; i++) {
		int tag = dwarf_tag(type);
		if (tag != DW_TAG_typedef && tag != DW_TAG_const_type && tag != DW_TAG_volatile_type &&
		    tag != DW_TAG_restrict_type && tag != DW_TAG_atomic_type)
			return tag;
		if (!type_of(type, type))
			break;
	}
	return DW_TAG_invalid;
}

static bool udata(Dwarf_Die *die, unsigned name, uint64_t *ret)
{
	Dwarf_Attribute attr;
	Dwarf_Word v;

	if (!dwarf_attr_integrate(die, name, &attr) || dwarf_formudata(&attr, &v) != 0)
		return false;
	*ret = v;
	return true;
}

static uint64_t size_of(Dwarf_Die *type)
{
	uint64_t n;

	return udata(type, DW_AT_byte_size, &n) ? n : dwarf_tag(type) == DW_TAG_pointer_type ? 8 : 0;
}

/* --- values; a value is in memory at addr, or in bits */

struct value {
	const struct gyve_expr_env *env;
	bool in_memory;
	uint64_t addr, bits;
};

static bool fetch(const struct value *v, uint64_t size, uint64_t *ret)
{
	if (!size || size > 8)
		return false;
	*ret = v->bits;
	if (v->in_memory && v->env->read(v->env->ctx, v->addr, (unsigned)size, ret) < 0)
		return false;
	if (size < 8)
		*ret &= (UINT64_C(1) << 8 * size) - 1;
	return true;
}

static int64_t extend(uint64_t raw, unsigned bits)
{
	return bits && bits < 64 ? (int64_t)(raw << (64 - bits)) >> (64 - bits) : (int64_t)raw;
}

static void print_float(struct text *x, uint64_t raw, uint64_t size)
{
	float f;
	double d;
	uint32_t low = (uint32_t)raw;

	memcpy(&f, &low, sizeof(f));
	memcpy(&d, &raw, sizeof(d));
	add(x, "%.9g", size == 4 ? (double)f : d);
}

static void print_scalar(struct text *x, Dwarf_Die *type, uint64_t raw, uint64_t size, unsigned bits)
{
	uint64_t encoding = 0;
	int64_t s = extend(raw, bits);

	udata(type, DW_AT_encoding, &encoding);
	switch (encoding) {
	case DW_ATE_boolean:
		add(x, raw == 0 ? "false" : raw == 1 ? "true" : "%" PRIu64, raw);
		break;
	case DW_ATE_float:
		print_float(x, raw, size);
		break;
	case DW_ATE_signed:
		add(x, "%" PRId64, s);
		break;
	case DW_ATE_signed_char:
	case DW_ATE_unsigned_char:
		add(x, "%" PRId64, encoding == DW_ATE_signed_char ? s : (int64_t)raw);
		if (raw >= ' ' && raw < 127)
			add(x, " '%c'", (char)raw);
		break;
	default:
		add(x, "%" PRIu64, raw);
	}
}

static void print_enumerator(struct text *x, Dwarf_Die *type, uint64_t raw, unsigned bits)
{
	Dwarf_Die e;
	int more = dwarf_child(type, &e);

	for (int n = 0; more == 0 && n < 4096; n++, more = dwarf_siblingof(&e, &e)) {
		Dwarf_Attribute attr;
		Dwarf_Sword v;
		Dwarf_Word u;
		const char *name = dwarf_diename(&e);
		if (name && dwarf_attr(&e, DW_AT_const_value, &attr) && dwarf_formsdata(&attr, &v) == 0 &&
		    (v == extend(raw, bits) || (uint64_t)v == raw || (dwarf_formudata(&attr, &u) == 0 && u == raw))) {
			add(x, "%s", name);
			return;
		}
	}
	add(x, "%" PRId64, extend(raw, bits));
}

/* At most MAX_STRING bytes at addr, up to a zero or to limit. */
static void print_string(struct text *x, const struct gyve_expr_env *env, uint64_t addr, uint64_t limit)
{
	add(x, "\"");
	for (uint64_t i = 0; i < limit; i++) {
		uint64_t c;
		if (i == MAX_STRING) {
			add(x, "\"...");
			return;
		}
		if (env->read(env->ctx, addr + i, 1, &c) < 0 || c == 0)
			break;
		add(x, c >= ' ' && c < 127 && c != '"' && c != '\\' ? "%c" : "\\%03o", (unsigned)c);
	}
	add(x, "\"");
}

static bool is_char(Dwarf_Die *type)
{
	uint64_t encoding = 0;

	return peel(type) == DW_TAG_base_type && udata(type, DW_AT_encoding, &encoding) && size_of(type) == 1 &&
	       (encoding == DW_ATE_signed_char || encoding == DW_ATE_unsigned_char);
}

static void print_pointer(struct text *x, Dwarf_Die *type, const struct value *v)
{
	uint64_t raw, first;
	Dwarf_Die to;

	if (!fetch(v, 8, &raw)) {
		add(x, "<not readable>");
		return;
	}
	add(x, "0x%" PRIx64, raw);
	if (raw && type_of(type, &to) && is_char(&to) && v->env->read(v->env->ctx, raw, 1, &first) == 0) {
		add(x, " ");
		print_string(x, v->env, raw, UINT64_MAX);
	}
}

static void print_value(struct text *x, Dwarf_Die *type, const struct value *v, unsigned level);

static void print_member(struct text *x, Dwarf_Die *m, const struct value *whole, unsigned level)
{
	uint64_t off = 0, bit_off, bits, raw;
	struct value v = *whole;
	Dwarf_Die type;

	if (!type_of(m, &type))
		return;
	if (udata(m, DW_AT_bit_size, &bits) && udata(m, DW_AT_data_bit_offset, &bit_off)) {
		v.addr += bit_off / 8;
		bit_off %= 8;
		if (!bits || bits + bit_off > 64 || !fetch(&v, (bits + bit_off + 7) / 8, &raw)) {
			add(x, "...");
			return;
		}
		raw = raw >> bit_off & (bits < 64 ? (UINT64_C(1) << bits) - 1 : UINT64_MAX);
		peel(&type);
		print_scalar(x, &type, raw, 8, (unsigned)bits);
		return;
	}
	udata(m, DW_AT_data_member_location, &off);
	v.addr += off;
	v.bits = off < 8 ? v.bits >> 8 * off : 0;
	print_value(x, &type, &v, level + 1);
}

static void print_structure(struct text *x, Dwarf_Die *type, const struct value *v, unsigned level)
{
	unsigned n = 0;
	Dwarf_Die m;
	int more = dwarf_child(type, &m);

	add(x, "{");
	for (int seen = 0; more == 0 && seen < 4096; seen++, more = dwarf_siblingof(&m, &m)) {
		const char *name = dwarf_diename(&m);
		if (dwarf_tag(&m) != DW_TAG_member)
			continue;
		if (n == MAX_MEMBERS || level > 0) {
			add(x, n ? ", ..." : "...");
			break;
		}
		add(x, "%s%s%s", n++ ? ", " : "", name ? name : "", name ? " = " : "");
		print_member(x, &m, v, level);
	}
	add(x, "}");
}

static bool element_count(Dwarf_Die *array, uint64_t *ret)
{
	Dwarf_Die range;

	if (dwarf_child(array, &range) != 0 || dwarf_tag(&range) != DW_TAG_subrange_type)
		return false;
	if (udata(&range, DW_AT_count, ret))
		return true;
	if (!udata(&range, DW_AT_upper_bound, ret))
		return false;
	(*ret)++;
	return true;
}

static void print_array(struct text *x, Dwarf_Die *type, const struct value *v, unsigned level)
{
	uint64_t count, each;
	Dwarf_Die of;

	if (!v->in_memory || !type_of(type, &of) || !element_count(type, &count)) {
		add(x, "...");
		return;
	}
	if (is_char(&of)) {
		print_string(x, v->env, v->addr, count);
		return;
	}
	each = size_of(&of); /* is_char() has peeled it */
	add(x, "{");
	for (uint64_t i = 0; i < count; i++) {
		struct value one = {v->env, true, v->addr + i * each, 0};
		if (i == MAX_ELEMENTS || !each || level > 0) {
			add(x, i ? ", ..." : "...");
			break;
		}
		add(x, i ? ", " : "");
		print_value(x, &of, &one, level + 1);
	}
	add(x, "}");
}

static void print_value(struct text *x, Dwarf_Die *type_in, const struct value *v, unsigned level)
{
	Dwarf_Die type = *type_in;
	int tag = peel(&type);
	uint64_t size = size_of(&type), raw;

	switch (tag) {
	case DW_TAG_pointer_type:
	case DW_TAG_reference_type:
	case DW_TAG_rvalue_reference_type:
		print_pointer(x, &type, v);
		break;
	case DW_TAG_structure_type:
	case DW_TAG_class_type:
	case DW_TAG_union_type:
		print_structure(x, &type, v, level);
		break;
	case DW_TAG_array_type:
		print_array(x, &type, v, level);
		break;
	case DW_TAG_base_type:
	case DW_TAG_enumeration_type:
		if (!fetch(v, size, &raw))
			add(x, size > 8 ? "..." : "<not readable>");
		else if (tag == DW_TAG_enumeration_type)
			print_enumerator(x, &type, raw, (unsigned)(8 * size));
		else
			print_scalar(x, &type, raw, size, (unsigned)(8 * size));
		break;
	default:
		add(x, "...");
	}
}

/* --- where a variable is */

/* libdw gives operations of a location list only taken apart. Those with a single byte sequence are put together again. */
static size_t encode(const Dwarf_Op *ops, size_t n, uint8_t *buf, size_t size)
{
	size_t len = 0;

	for (size_t i = 0; i < n; i++) {
		uint8_t op = ops[i].atom;
		uint64_t v = ops[i].number;
		if (len + 24 > size)
			return 0;
		buf[len++] = op;
		if (op == DW_OP_addr) {
			memcpy(buf + len, &v, 8);
			len += 8;
		} else if (op == DW_OP_fbreg || (op >= DW_OP_breg0 && op <= DW_OP_breg31) || op == DW_OP_bregx ||
			   op == DW_OP_plus_uconst || op == DW_OP_regx || op == DW_OP_constu || op == DW_OP_consts ||
			   (op >= DW_OP_const1u && op <= DW_OP_const8s)) {
			bool sized = op >= DW_OP_const1u && op <= DW_OP_const8s, two = op == DW_OP_bregx;
			bool is_signed =
				op == DW_OP_fbreg || op == DW_OP_consts || (op >= DW_OP_breg0 && op <= DW_OP_breg31) || sized;
			if (sized)
				buf[len - 1] = DW_OP_consts; /* number holds it extended */
			for (int k = 0; k < 1 + two; k++) {
				int64_t s = (int64_t)(k ? ops[i].number2 : v);
				bool neg = k ? true : is_signed;
				for (bool more = true; more;) {
					uint8_t byte = s & 0x7f;
					s = neg ? s >> 7 : (int64_t)((uint64_t)s >> 7);
					more = neg ? !((s == 0 && !(byte & 0x40)) || (s == -1 && byte & 0x40)) : s != 0;
					buf[len++] = byte | (more ? 0x80 : 0);
				}
			}
		} else if (op == DW_OP_deref_size || op == DW_OP_pick) {
			buf[len++] = (uint8_t)v;
		} else if (op == DW_OP_bra || op == DW_OP_skip || op >= DW_OP_implicit_value) {
			if (op != DW_OP_stack_value && op != DW_OP_call_frame_cfa)
				return 0;
		}
	}
	return len;
}

static int locate(Dwarf_Attribute *attr, uint64_t addr, const struct gyve_expr_env *env, struct gyve_expr_result *ret)
{
	uint8_t bytes[256];
	Dwarf_Block block;
	Dwarf_Op *ops;
	size_t n, len;

	if (dwarf_formblock(attr, &block) == 0)
		return block.length ? gyve_expr_eval(block.data, block.length, env, NULL, ret) : -ENODATA;
	if (dwarf_getlocation_addr(attr, addr, &ops, &n, 1) != 1 || !n)
		return -ENODATA;
	len = encode(ops, n, bytes, sizeof(bytes));
	return len ? gyve_expr_eval(bytes, len, env, NULL, ret) : -ENOTSUP;
}

static bool value_of(Dwarf_Die *var, uint64_t addr, const struct gyve_expr_env *env, struct value *v)
{
	struct gyve_expr_result x;
	Dwarf_Attribute attr;
	Dwarf_Sword c;

	*v = (struct value){.env = env};
	if (dwarf_attr_integrate(var, DW_AT_const_value, &attr) && dwarf_formsdata(&attr, &c) == 0) {
		v->bits = (uint64_t)c;
		return true;
	}
	if (!dwarf_attr_integrate(var, DW_AT_location, &attr) || locate(&attr, addr, env, &x) < 0)
		return false;
	v->in_memory = x.where == GYVE_EXPR_MEMORY;
	v->addr = v->bits = x.value;
	if (x.where != GYVE_EXPR_REGISTER)
		return true;
	if (x.value >= GYVE_DWARF_REGS || !(env->known >> x.value & 1))
		return false;
	v->bits = env->reg[x.value];
	return true;
}

static void frame_base(Dwarf_Die *function, uint64_t addr, struct gyve_expr_env *env)
{
	struct gyve_expr_result x;
	Dwarf_Attribute attr;

	if (!dwarf_attr(function, DW_AT_frame_base, &attr) || locate(&attr, addr, env, &x) < 0)
		return;
	if (x.where == GYVE_EXPR_REGISTER) {
		if (x.value >= GYVE_DWARF_REGS || !(env->known >> x.value & 1))
			return;
		x.value = env->reg[x.value];
	}
	env->frame_base = x.value;
	env->has_frame_base = true;
}

static void scope_locals(Dwarf_Die *scope, uint64_t addr, const struct gyve_expr_env *env, gyve_local_fn *fn, void *ctx)
{
	Dwarf_Die var, type;
	int more = dwarf_child(scope, &var);

	for (int n = 0; more == 0 && n < MAX_LOCALS; more = dwarf_siblingof(&var, &var)) {
		int tag = dwarf_tag(&var);
		const char *name = dwarf_diename(&var);
		char buf[VALUE_TEXT] = "";
		struct text x = {buf, sizeof(buf), 0};
		struct value v;
		if ((tag != DW_TAG_formal_parameter && tag != DW_TAG_variable) || !name || !type_of(&var, &type))
			continue;
		n++;
		if (value_of(&var, addr, env, &v))
			print_value(&x, &type, &v, 0);
		else
			add(&x, "<optimized out>");
		fn(ctx, name, buf, tag == DW_TAG_formal_parameter);
	}
}

int gyve_dw_locals(struct gyve_dw *d, uint64_t addr, unsigned level, const struct gyve_expr_env *env_in, gyve_local_fn *fn,
		   void *ctx)
{
	struct gyve_expr_env env = *env_in;
	Dwarf_Die path[DW_DEPTH];
	unsigned n = d ? gyve_dw_scopes(d, addr, path) : 0, function = 0, frame = 0, end = n;

	if (!n)
		return -ENOENT;
	/* from the innermost out: which function is the level's, and where the next inner one begins */
	for (unsigned i = n; i-- > 1 && !function;) {
		int tag = dwarf_tag(&path[i]);
		if (tag != DW_TAG_subprogram && tag != DW_TAG_inlined_subroutine)
			continue;
		if (frame++ == level)
			function = i;
		else
			end = i;
	}
	if (!function)
		return -ENOENT;
	for (unsigned i = function; i > 0 && !env.has_frame_base; i--)
		if (dwarf_tag(&path[i]) == DW_TAG_subprogram)
			frame_base(&path[i], addr, &env);
	for (unsigned i = function; i < end; i++)
		scope_locals(&path[i], addr, &env, fn, ctx);
	return 0;
}
